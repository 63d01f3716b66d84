/** A saved reply: a file, or text that was pasted. */
export interface Sample {
  name: string;
  content: Blob;
}

/** Bytes as the check takes them. */
export async function base64(content: Blob): Promise<string> {
  const url = await new Promise<string>((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result as string);
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(content);
  });
  return url.slice(url.indexOf(",") + 1);
}
