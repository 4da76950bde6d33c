/** Ensure, pull, keep and collect images on one node. */
export {};
