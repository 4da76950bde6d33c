/** The distribution protocol, served from a store. */
export {};
