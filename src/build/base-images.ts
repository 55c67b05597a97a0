import { DockerfileParser } from "dockerfile-ast";
import { AppError } from "../errors/app-error.ts";

/** A base image taken from elsewhere: `name` as a FROM line spells it, `source` an image reference or oci-archive:/path. */
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
        throw new AppError("ERR_CONFIG_INVALID", { message: `CATNAP_BASE_IMAGES: ${JSON.stringify(pair)} is not of the form name=source` });
      }
      return { name, source };
    });
}

/** The mappings that a Dockerfile's FROM and COPY --from lines name. */
export function mappingsFor(dockerfile: string, mappings: readonly BaseImageMapping[]): BaseImageMapping[] {
  const named = namedImages(dockerfile);
  return mappings.filter(({ name }) => named.has(name));
}

/** Every image reference a Dockerfile names, stages of its own included. */
export function namedImages(dockerfile: string): Set<string> {
  const parsed = DockerfileParser.parse(dockerfile);
  const bases = parsed.getFROMs().map((from) => from.getImage());
  const copied = parsed.getCOPYs().map((copy) => copy.getFlags().find((flag) => flag.getName() === "from")?.getValue());
  return new Set([...bases, ...copied].filter((name): name is string => typeof name === "string" && name !== ""));
}
