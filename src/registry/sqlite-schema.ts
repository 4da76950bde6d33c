/**
 * The tables of a registry's metadata. Text compares bytewise in SQLite, which is the order the protocol asks for; so
 * every list is one index range.
 *
 * Beside what repositories show, three tables keep the answer to "what is garbage?" up to date with every change, so
 * that nobody ever has to look for it:
 *
 * ```text
 * links     manifest ─► what it names: blobs, entries of an index
 * loose     per repository: a blob no manifest names, a manifest no tag or index names (`manifest`), or one whose
 *           subject isn't here, either (`referrer`); and since when
 * unshown   content that no repository shows, or that is about to be stored; and since when
 * ```
 *
 * What a repository holds in bytes and tags is counted by triggers, so that quotas cost one row.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE repositories (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE blobs (
    repository INTEGER NOT NULL REFERENCES repositories, digest TEXT NOT NULL, size INTEGER NOT NULL,
    linked_at INTEGER NOT NULL, PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_by_digest ON blobs (digest);
  CREATE TABLE manifests (
    repository INTEGER NOT NULL REFERENCES repositories, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    size INTEGER NOT NULL, pushed_at INTEGER NOT NULL, PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tags (
    repository INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, tagged_at INTEGER NOT NULL,
    PRIMARY KEY (repository, name), FOREIGN KEY (repository, digest) REFERENCES manifests ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_by_digest ON tags (repository, digest);
  CREATE TABLE referrers (
    repository INTEGER NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, artifact_type TEXT,
    descriptor TEXT NOT NULL, PRIMARY KEY (repository, subject, digest),
    FOREIGN KEY (repository, digest) REFERENCES manifests ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX referrers_by_digest ON referrers (repository, digest);
  CREATE INDEX referrers_by_type ON referrers (repository, subject, artifact_type, digest);
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY, repository TEXT NOT NULL, started_at INTEGER NOT NULL, algorithm TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uploads_by_age ON uploads (started_at);
  `,
  // What manifests of before name is read when garbage is first collected; until then nothing counts as garbage.
  `
  ALTER TABLE manifests ADD COLUMN links_read INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX manifests_by_digest ON manifests (digest);
  CREATE INDEX manifests_unread ON manifests (repository, digest) WHERE links_read = 0;
  CREATE TABLE links (
    repository INTEGER NOT NULL, manifest TEXT NOT NULL, target TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, target),
    FOREIGN KEY (repository, manifest) REFERENCES manifests ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX links_by_target ON links (repository, target);
  CREATE TABLE loose (
    repository INTEGER NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (repository, kind, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX loose_by_age ON loose (kind, since, repository, digest);
  CREATE INDEX loose_in_repository ON loose (repository, kind, since, digest);
  CREATE TABLE unshown (digest TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX unshown_by_age ON unshown (since, digest);

  ALTER TABLE uploads ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX uploads_by_repository ON uploads (repository, reserved);
  ALTER TABLE repositories ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE repositories ADD COLUMN tags INTEGER NOT NULL DEFAULT 0;
  UPDATE repositories SET
    bytes = (SELECT coalesce(sum(size), 0) FROM blobs WHERE repository = repositories.id)
      + (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository = repositories.id),
    tags = (SELECT count(*) FROM tags WHERE repository = repositories.id);
  CREATE TRIGGER blob_in AFTER INSERT ON blobs BEGIN
    UPDATE repositories SET bytes = bytes + new.size WHERE id = new.repository; END;
  CREATE TRIGGER blob_out AFTER DELETE ON blobs BEGIN
    UPDATE repositories SET bytes = bytes - old.size WHERE id = old.repository; END;
  CREATE TRIGGER manifest_in AFTER INSERT ON manifests BEGIN
    UPDATE repositories SET bytes = bytes + new.size WHERE id = new.repository; END;
  CREATE TRIGGER manifest_out AFTER DELETE ON manifests BEGIN
    UPDATE repositories SET bytes = bytes - old.size WHERE id = old.repository; END;
  CREATE TRIGGER tag_in AFTER INSERT ON tags BEGIN
    UPDATE repositories SET tags = tags + 1 WHERE id = new.repository; END;
  CREATE TRIGGER tag_out AFTER DELETE ON tags BEGIN
    UPDATE repositories SET tags = tags - 1 WHERE id = old.repository; END;

  INSERT INTO loose SELECT repository, 'blob', digest, linked_at FROM blobs;
  INSERT INTO loose
    SELECT m.repository, CASE WHEN r.subject IS NULL THEN 'manifest' ELSE 'referrer' END, m.digest, m.pushed_at
    FROM manifests m LEFT JOIN referrers r ON r.repository = m.repository AND r.digest = m.digest
    WHERE NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = m.repository AND t.digest = m.digest)
    AND NOT EXISTS (SELECT 1 FROM manifests s WHERE s.repository = m.repository AND s.digest = r.subject);
  `,
];

export const IN_REPOSITORY = "repository = (SELECT id FROM repositories WHERE name = ?)";
