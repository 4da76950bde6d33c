/**
 * Why an image was or was not pulled: the decisions of the other rooms, replayed without their effects.
 */
export { type Decision, type DecisionReason } from "./decision.ts";
