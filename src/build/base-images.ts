import { AppError } from "../errors/app-error.ts";

/** A base image taken from elsewhere: `name` as the Dockerfile spells it, `source` an image reference or oci-archive:/path. */
export interface BaseImageMapping {
  readonly name: string;
  readonly source: string;
}

/** Parses the setting: name=source pairs separated by commas. */
export function parseBaseImages(setting: string): BaseImageMapping[] {
  return setting
    .split(",")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      const [name, source] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
      if (at <= 0 || source === "" || /\s/.test(name + source)) {
        throw new AppError("ERR_CONFIG_INVALID", {
          message: `CATNAP_BASE_IMAGES: ${JSON.stringify(pair)} is not of the form name=source`,
        });
      }
      return { name, source };
    });
}

/**
 * The mappings whose name occurs in a Dockerfile as a word of its own, wherever that is: FROM, COPY --from,
 * RUN --mount=from, the default of an ARG. One too many costs a pull; buildah applies only those it meets.
 */
export function mappingsFor(dockerfile: string, mappings: readonly BaseImageMapping[]): BaseImageMapping[] {
  return mappings.filter(({ name }) => occursAsWord(dockerfile, name));
}

const PART_OF_A_REFERENCE = /[\w./:@-]/;

function occursAsWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    const isPart =
      PART_OF_A_REFERENCE.test(text.charAt(at - 1)) || PART_OF_A_REFERENCE.test(text.charAt(at + word.length));
    // ${BASE:-name} puts a dash in front of the name
    if (!isPart || (text.slice(at - 2, at) === ":-" && !PART_OF_A_REFERENCE.test(text.charAt(at + word.length))))
      return true;
  }
  return false;
}
