import type { AccessControl, Authorize, LockedOut, RepositoryView } from "../access.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";

interface Generation {
  readonly access: AccessControl;
  /** Questions it hasn't answered yet. */
  pending: number;
  retired: boolean;
}

/** Access control that can be replaced while requests come: each is judged by one or the other, none is lost. */
export class SwitchableAccess implements AccessControl {
  #current: Generation;
  readonly #onFailure: (error: unknown) => void;

  constructor(first: AccessControl, onFailure: (error: unknown) => void) {
    this.#current = { access: first, pending: 0, retired: false };
    this.#onFailure = onFailure;
  }

  readonly authorize: Authorize = (request, wanted) => {
    const generation = this.#current;
    const decision = generation.access.authorize(request, wanted);
    return decision instanceof Promise ? this.#follow(generation, decision) : decision;
  };

  viewFor(request: RegistryRequest): RepositoryView | Promise<RepositoryView> {
    const generation = this.#current;
    const view = generation.access.viewFor(request);
    return view instanceof Promise ? this.#follow(generation, view) : view;
  }

  serve(request: RegistryRequest): Promise<RegistryResponse | undefined> | undefined {
    const generation = this.#current;
    const response = generation.access.serve?.(request);
    return response === undefined ? undefined : this.#follow(generation, response);
  }

  lockedOut(): readonly LockedOut[] {
    return this.#current.access.lockedOut?.() ?? [];
  }

  /** From now on `next` decides; the one before is closed once it has answered all it was asked. */
  switchTo(next: AccessControl): void {
    const before = this.#current;
    this.#current = { access: next, pending: 0, retired: false };
    before.retired = true;
    this.#closeIfDone(before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current.access[Symbol.asyncDispose]();
  }

  async #follow<Result>(generation: Generation, answer: Promise<Result>): Promise<Result> {
    generation.pending++;
    try {
      return await answer;
    } finally {
      generation.pending--;
      this.#closeIfDone(generation);
    }
  }

  #closeIfDone({ retired, pending, access }: Generation): void {
    if (retired && pending === 0) void access[Symbol.asyncDispose]().then(undefined, this.#onFailure);
  }
}
