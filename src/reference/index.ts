/** An image string to a {@link Reference}, and back. */
export { type Reference } from "./reference.ts";
