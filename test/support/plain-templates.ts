import type { BuiltImage } from "../../src/build/image-builder.ts";
import type { Templates } from "../../src/images/templates.ts";
import { findBuild } from "../../src/store/build-store.ts";
import type { Store } from "../../src/store/store.ts";

/** Templates as they are on record, whatever engine they are of. */
export function plainTemplates({ db }: Store): Templates {
  return {
    async lease(buildId) {
      const build = await findBuild(db, buildId);
      return { image: JSON.parse(build?.template_json ?? "") as BuiltImage, [Symbol.dispose]() {} };
    },
  };
}
