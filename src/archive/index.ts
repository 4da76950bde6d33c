/** Images in folders and files: OCI layouts, OCI archives, Docker archives. */
export {};
