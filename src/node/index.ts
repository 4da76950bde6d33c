/** Bring the Pods' images to this machine, and say how it goes. */
export {};
