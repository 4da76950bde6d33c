const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Whom an image runs as: the user of its config, by number or by name, without the group. */
export function imageUser(user: string): { readonly uid: bigint | undefined; readonly username: string } {
  const name = user.split(":", 1)[0] ?? "";
  if (!/^[+-]?[0-9]+$/.test(name)) return { uid: undefined, username: name };
  const uid = BigInt(name.replace(/^\+/, ""));
  return uid < INT64.min || uid > INT64.max ? { uid: undefined, username: name } : { uid, username: "" };
}
