/** The tables of `dray.db`; a released step never changes, new ones are appended. */
export const STORE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE name (
     name TEXT PRIMARY KEY,
     digest TEXT NOT NULL,
     target TEXT NOT NULL, -- the descriptor as JSON
     created_at INTEGER NOT NULL,
     updated_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX name_by_digest ON name (digest, name);
   CREATE TABLE lease (
     id TEXT PRIMARY KEY,
     expires_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE leased (
     lease TEXT NOT NULL REFERENCES lease (id) ON DELETE CASCADE,
     digest TEXT NOT NULL,
     PRIMARY KEY (lease, digest)
   ) STRICT, WITHOUT ROWID;`,
];
