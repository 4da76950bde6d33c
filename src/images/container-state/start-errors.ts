/** Why a container couldn't start. */
export interface StartError {
  readonly reason: string;
  readonly message: string;
}

const CAPACITY = 1000;

/** The last start error of each container, in memory only; the one used longest ago is forgotten first. */
export class StartErrors {
  readonly #capacity: number;
  readonly #errors = new Map<string, StartError>();

  constructor(options: { readonly capacity?: number | undefined } = {}) {
    this.#capacity = options.capacity ?? CAPACITY;
  }

  /** A start failed. */
  set(podUid: string, container: string, error: StartError): void {
    const key = keyOf(podUid, container);
    this.#errors.delete(key);
    this.#errors.set(key, error);
    const [oldest] = this.#errors.keys();
    if (this.#errors.size > this.#capacity && oldest !== undefined) this.#errors.delete(oldest);
  }

  /** A start succeeded. */
  delete(podUid: string, container: string): void {
    this.#errors.delete(keyOf(podUid, container));
  }

  find(podUid: string, container: string): StartError | undefined {
    const key = keyOf(podUid, container);
    const error = this.#errors.get(key);
    if (error === undefined) return undefined;
    this.#errors.delete(key);
    this.#errors.set(key, error);
    return error;
  }
}

function keyOf(podUid: string, container: string): string {
  return `${podUid}_${container}`;
}
