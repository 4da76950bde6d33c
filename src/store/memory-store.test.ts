import { testBlobStore } from "./blob-store.conformance.ts";
import { MemoryBlobStore } from "./memory-store.ts";

testBlobStore("MemoryBlobStore", { open: (options) => Promise.resolve(new MemoryBlobStore(options)) });
