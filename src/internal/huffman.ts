/** Canonical Huffman codes of limited length, for DEFLATE (RFC 1951, section 3.2.2). Integers only: exact anywhere. */

/** Code lengths for symbols by how often they occur; 0 for those that don't. */
export function codeLengths(frequencies: Uint32Array, limit: number): Uint8Array {
  const lengths = new Uint8Array(frequencies.length);
  const used: number[] = [];
  for (let symbol = 0; symbol < frequencies.length; symbol++)
    if (frequencies[symbol] !== 0) used.push(symbol);
  used.sort((a, b) => (frequencies[a] as number) - (frequencies[b] as number) || a - b);
  if (used.length <= 1) {
    for (const symbol of used) lengths[symbol] = 1;
    return lengths;
  }
  const depths = treeDepths(used.map((symbol) => frequencies[symbol] as number));
  const counts = new Uint32Array(limit + 1);
  for (const depth of depths) counts[Math.min(depth, limit)] = (counts[Math.min(depth, limit)] as number) + 1;
  shorten(counts, limit);
  // The rarest symbols get the longest codes.
  let next = 0;
  for (let length = limit; length > 0; length--) {
    for (let i = counts[length] as number; i > 0; i--) lengths[used[next++] as number] = length;
  }
  return lengths;
}

/** The codes for given lengths, with their bits in the order DEFLATE sends them. */
export function codesOf(lengths: Uint8Array): Uint16Array {
  const counts = new Uint16Array(17);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  counts[0] = 0;
  const next = new Uint16Array(17);
  for (let length = 1; length <= 16; length++) {
    next[length] = ((next[length - 1] as number) + (counts[length - 1] as number)) << 1;
  }
  const codes = new Uint16Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] as number;
    if (length === 0) continue;
    let code = next[length] as number;
    next[length] = code + 1;
    let reversed = 0;
    for (let i = 0; i < length; i++, code >>= 1) reversed = (reversed << 1) | (code & 1);
    codes[symbol] = reversed;
  }
  return codes;
}

/** Depths of the leaves of a Huffman tree over ascending weights, in the weights' order. */
function treeDepths(weights: readonly number[]): readonly number[] {
  const leaves = weights.length;
  const total = 2 * leaves - 1;
  const weight = new Float64Array(total);
  weight.set(weights);
  const parent = new Int32Array(total);
  let leaf = 0;
  let inner = leaves;
  for (let node = leaves; node < total; node++) {
    // Leaves and joined nodes both come in ascending order, so the two lightest are at the fronts.
    for (let pick = 0; pick < 2; pick++) {
      const fromLeaves =
        leaf < leaves && (inner >= node || (weight[leaf] as number) <= (weight[inner] as number));
      const lightest = fromLeaves ? leaf++ : inner++;
      parent[lightest] = node;
      weight[node] = (weight[node] as number) + (weight[lightest] as number);
    }
  }
  const depth = new Uint32Array(total);
  for (let node = total - 2; node >= 0; node--) depth[node] = (depth[parent[node] as number] as number) + 1;
  return [...depth.subarray(0, leaves)];
}

/** Codes cut down to the limit overfill the code space; give back what is too much by lengthening shorter ones. */
function shorten(counts: Uint32Array, limit: number): void {
  let space = 0;
  for (let length = 1; length <= limit; length++) space += (counts[length] as number) * 2 ** (limit - length);
  for (let excess = space - 2 ** limit; excess > 0; excess--) {
    let length = limit - 1;
    while (counts[length] === 0) length--;
    counts[length] = (counts[length] as number) - 1;
    counts[length + 1] = (counts[length + 1] as number) + 2;
    counts[limit] = (counts[limit] as number) - 1;
  }
}
