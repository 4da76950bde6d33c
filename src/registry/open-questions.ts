import { SEES_ALL, type AccessControl, type RepositoryView } from "./access.ts";

/** The registry closed before anybody said whether the request may have what it wants. */
export class AccessUnanswered extends Error {
  constructor() {
    super("Cannot answer the request: the registry closed before its access was decided");
    this.name = "AccessUnanswered";
  }
}

/**
 * Questions of access that nobody answered yet. Who answers them may be somebody else's function, which nothing bounds;
 * since no request touches a store while it waits for one, a registry that closes can give all of them up.
 */
export class OpenQuestions {
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** The same access control, whose questions end at {@link giveUp} by `AccessUnanswered`. */
  access(inner: AccessControl): AccessControl {
    return {
      authorize: (request, wanted) => this.#ask(inner.authorize(request, wanted)),
      viewFor: (request) => {
        const view = this.#ask(inner.viewFor(request));
        return view instanceof Promise ? view.then((one) => this.#view(one)) : this.#view(view);
      },
      serve: (request) => inner.serve?.(request),
      lockedOut: () => inner.lockedOut?.() ?? [],
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
  }

  /** Waits for no answer any more: none that was asked for, and none that will be. */
  giveUp(): void {
    this.#closed = true;
    for (const abandon of this.#waiting) abandon();
  }

  #view(inner: RepositoryView): RepositoryView {
    if (inner === SEES_ALL) return inner;
    return { prefixes: inner.prefixes, sees: (repository) => this.#ask(inner.sees(repository)) };
  }

  #ask<Answer>(answer: Answer | Promise<Answer>): Answer | Promise<Answer> {
    if (!(answer instanceof Promise)) return answer;
    return new Promise((resolve, reject) => {
      const abandon = (): void => reject(new AccessUnanswered());
      if (this.#closed) abandon();
      else this.#waiting.add(abandon);
      void answer.then(resolve, reject).finally(() => this.#waiting.delete(abandon));
    });
  }
}
