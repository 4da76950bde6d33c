/** Images made from files. */
export {};
