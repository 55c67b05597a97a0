import { expect, test } from "vitest";
import type { Shape } from "../../src/model/constraint-shape.ts";
import { CORE_CONSTRAINTS } from "../../src/model/constraints-core.ts";
import { CONSTRAINTS } from "../../src/model/constraints.ts";
import { publishedModelFile, readPublishedModel, type PublishedModel } from "../support/published-model.ts";

/* Appendix A of the contract, line by line: every member of every request, against the model that the service publishes. */

/** One line for each member: its place in the request, and all that a value of it must satisfy. */
type Lines = Map<string, string>;

/** A lower bound of nothing is none. */
const span = ({ min = 0, max }: { min?: number; max?: number }) => ` ${min}–${max ?? ""}`;

function ofOurs(shape: Shape, path: string, lines: Lines): Lines {
  const { kind, ...rest } = shape;
  const limits = "min" in rest || "max" in rest ? span(rest) : span({});
  switch (shape.kind) {
    case "string":
      return lines.set(
        path,
        `string${limits} ${shape.pattern?.source ?? ""} ${shape.oneOf?.toSorted().join("/") ?? ""}`,
      );
    case "integer":
    case "boolean":
      return lines.set(path, `${kind}${limits}`);
    case "list":
      lines.set(path, `list${limits}`);
      return ofOurs(shape.of, `${path}[]`, lines);
    case "map":
      lines.set(path, `map${limits}`);
      ofOurs(shape.key, `${path}{key}`, lines);
      return ofOurs(shape.value, `${path}{value}`, lines);
    case "structure":
      lines.set(path, `structure${shape.isUnion ? " union" : ""} ${[...shape.required].toSorted().join(",")}`);
      for (const [name, member] of Object.entries(shape.members)) ofOurs(member, `${path}.${name}`, lines);
      return lines;
  }
}

function ofPublished({ shapes }: PublishedModel, name: string, path: string, lines: Lines = new Map()): Lines {
  const shape = shapes[name] ?? { type: "unknown" };
  const { min, max, required = [], members = {} } = shape;
  const limits = span({ min, max });
  const go = (member: { shape: string } | undefined, at: string) =>
    ofPublished({ shapes } as PublishedModel, member?.shape ?? "", at, lines);
  switch (shape.type) {
    case "string":
      return lines.set(path, `string${limits} ${shape.pattern ?? ""} ${shape.enum?.toSorted().join("/") ?? ""}`);
    case "integer":
    case "long":
    case "boolean":
      return lines.set(path, `${shape.type === "boolean" ? "boolean" : "integer"}${limits}`);
    case "list":
      lines.set(path, `list${limits}`);
      return go(shape.member, `${path}[]`);
    case "map":
      lines.set(path, `map${limits}`);
      go(shape.key, `${path}{key}`);
      return go(shape.value, `${path}{value}`);
    default:
      lines.set(path, `${shape.type}${shape.union ? " union" : ""} ${[...required].toSorted().join(",")}`);
      for (const [member, of] of Object.entries(members)) go(of, `${path}.${member}`);
      return lines;
  }
}

/** Wider here than there, on purpose (docs/compatibility.md). */
const WIDER = new Set([
  "CreateMicrovmImage.cpuConfigurations[].architecture",
  "UpdateMicrovmImage.cpuConfigurations[].architecture",
  "ListMicrovmImageBuilds.architecture",
  "ListMicrovmImageBuilds.chipset",
]);

const services = [
  { service: "lambda-microvms", constraints: CONSTRAINTS as Readonly<Record<string, Shape>> },
  { service: "lambda-core", constraints: CORE_CONSTRAINTS as Readonly<Record<string, Shape>> },
].flatMap((each) => {
  const file = publishedModelFile(each.service);
  return file === undefined ? [] : [{ ...each, file }];
});

for (const { service, constraints, file } of services) {
  test(`the requests of ${service} are bound as the service publishes it`, async () => {
    const model = await readPublishedModel(file);
    expect(Object.keys(constraints).toSorted()).toEqual(Object.keys(model.operations).toSorted());
    for (const [operation, shape] of Object.entries(constraints)) {
      const published = ofPublished(model, model.operations[operation]?.input.shape ?? "", operation);
      const ours = ofOurs(shape, operation, new Map());
      const same = (lines: Lines) => Object.fromEntries([...lines].filter(([path]) => !WIDER.has(path)));
      expect(same(ours)).toEqual(same(published));
    }
  });
}
