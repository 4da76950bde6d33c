/** What a Go function would have returned as its error. Rooms show the text as it is or wrap it. */
export class GoError extends Error {}

/** JSON of another type than the Go value it was meant for. */
export class GoTypeError extends GoError {
  readonly value: string;
  readonly type: string;

  constructor(value: string, type: string, place?: { readonly struct: string; readonly field: string }) {
    const target =
      place === undefined
        ? `value of type ${type}`
        : `struct field ${place.struct}.${place.field} of type ${type}`;
    super(`json: cannot unmarshal ${value} into Go ${target}`);
    this.value = value;
    this.type = type;
    this.field = place?.field ?? "";
  }

  readonly field: string;

  /** The same seen from an outer struct, whose name replaces the inner one. */
  within(struct: string, fields: readonly string[]): GoTypeError {
    const path = this.field === "" ? fields : [...fields, this.field];
    return new GoTypeError(this.value, this.type, { struct, field: path.join(".") });
  }
}
