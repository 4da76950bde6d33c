/** Commands, and the wiring of all the rooms. */
export {};
