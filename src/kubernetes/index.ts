/** The Kubernetes objects we read and write. */
export {};
