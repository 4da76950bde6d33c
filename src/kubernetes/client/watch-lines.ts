/**
 * The lines of a stream. What follows the last line break is half a line that a cut left over: it is dropped, since
 * whoever resumes gets the whole of it.
 */
export async function* readLines(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    onBytes();
    const text = rest + decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      const line = text.slice(start, end).trim();
      start = end + 1;
      if (line !== "") yield line;
    }
    rest = text.slice(start);
  }
}
