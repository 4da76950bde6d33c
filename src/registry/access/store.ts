/**
 * What access control remembers: users, robots, refresh tokens and the keys that tokens are signed with.
 *
 * Of passwords and secrets there are hashes alone. Every method is one transaction that other processes on the same
 * data see whole or not at all, and what it reports as done is durable.
 */
export interface UserRecord {
  readonly name: string;
  /** bcrypt. */
  readonly passwordHash: string;
  readonly groups: readonly string[];
}

export interface RobotSecret {
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** From then on it is refused. */
  readonly expiresAt?: number | undefined;
}

export interface RobotRecord {
  /** As policies call it; it logs in as `robot+NAME`. */
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt?: number | undefined;
  readonly groups: readonly string[];
  /** What it may do besides what policies say; patterns as in a policy. */
  readonly grants: readonly RobotGrant[];
  /** Newest first; two while one takes over from the other. */
  readonly secrets: readonly RobotSecret[];
  /** Goes up with every change. */
  readonly revision: number;
}

export interface RobotGrant {
  readonly repositories: readonly string[];
  readonly actions: readonly ("pull" | "push" | "delete")[];
}

export interface RefreshTokenRecord {
  readonly hash: string;
  /** Who may log in with it: a user's name, or `robot+NAME`. */
  readonly login: string;
  /** The hash it was got with; once that one is good for nothing, neither is this token. */
  readonly credential: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** A key that tokens are signed with. */
export interface SigningKeyRecord {
  readonly id: string;
  readonly algorithm: "ES256" | "RS256" | "EdDSA";
  readonly createdAt: number;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
}

/** By name, strictly after `after`. */
export interface NamePage {
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface AccessStore extends AsyncDisposable {
  findUser(name: string): Promise<UserRecord | undefined>;
  /** Adds a user or replaces one. */
  putUser(user: UserRecord): Promise<void>;
  deleteUser(name: string): Promise<boolean>;
  listUsers(page: NamePage): Promise<readonly UserRecord[]>;

  findRobot(name: string): Promise<RobotRecord | undefined>;
  /** Whether there was none of that name. */
  addRobot(robot: RobotRecord): Promise<boolean>;
  /** Whether the robot was still at the revision before this one, so that of two changes at once none is lost. */
  replaceRobot(robot: RobotRecord): Promise<boolean>;
  deleteRobot(name: string): Promise<boolean>;
  listRobots(page: NamePage): Promise<readonly RobotRecord[]>;

  findRefreshToken(hash: string): Promise<RefreshTokenRecord | undefined>;
  /** Also forgets those that expired before this one was made. */
  addRefreshToken(token: RefreshTokenRecord): Promise<void>;
  deleteRefreshToken(hash: string): Promise<boolean>;
  /** How many there were. */
  deleteRefreshTokens(login: string): Promise<number>;

  /** Oldest first. */
  listKeys(): Promise<readonly SigningKeyRecord[]>;
  addKey(key: SigningKeyRecord): Promise<void>;
  deleteKey(id: string): Promise<boolean>;

  /**
   * Another text after every change to users, robots and keys, by whichever process, so that whoever remembers
   * answers can ask before each use. `undefined` where nobody can tell that cheaply; nothing is remembered then.
   */
  generation(): string | undefined;
}
