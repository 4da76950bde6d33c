import { readFile } from "node:fs/promises";

import { UsageError } from "../errors.ts";

export interface SocketOwner {
  readonly uid: number;
  readonly gid: number;
  /** Whether a group was named, whose members may use the socket. */
  readonly forGroup: boolean;
}

/** Where users and groups of this machine are found by name. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

const FILES: AccountFiles = { passwd: "/etc/passwd", group: "/etc/group" };

/** `USER` or `USER:GROUP`, by name or number; without a group it is the user's own. */
export async function readSocketOwner(text: string, files: AccountFiles = FILES): Promise<SocketOwner> {
  const [user = "", group, ...more] = text.split(":");
  if (user === "" || group === "" || more.length > 0) throw wrong(text, "write USER or USER:GROUP");
  const account = await findUser(user, files.passwd);
  if (account === undefined) throw wrong(text, `there is no user ${JSON.stringify(user)}`);
  if (group === undefined) return { ...account, forGroup: false };
  const gid = await findGroup(group, files.group);
  if (gid === undefined) throw wrong(text, `there is no group ${JSON.stringify(group)}`);
  return { uid: account.uid, gid, forGroup: true };
}

async function findUser(user: string, file: string): Promise<{ uid: number; gid: number } | undefined> {
  const isNumber = /^[0-9]{1,10}$/.test(user);
  for (const [name, , uid, gid] of await readLines(file)) {
    if ((isNumber ? uid : name) === user) return { uid: Number(uid), gid: Number(gid) };
  }
  // A number needs no account; its group then goes by the same number.
  return isNumber ? { uid: Number(user), gid: Number(user) } : undefined;
}

async function findGroup(group: string, file: string): Promise<number | undefined> {
  if (/^[0-9]{1,10}$/.test(group)) return Number(group);
  const gid = (await readLines(file)).find(([name]) => name === group)?.[2];
  return gid === undefined ? undefined : Number(gid);
}

async function readLines(file: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").map((line) => line.split(":"));
}

function wrong(text: string, why: string): UsageError {
  return new UsageError(`Option --socket-owner does not take ${JSON.stringify(text)}: ${why}`, "cri");
}
