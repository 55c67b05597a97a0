import { expect, test } from "vitest";
import { publishedModelFile, readPublishedModel, type PublishedShape } from "../support/published-model.ts";
import { operationNames } from "../../src/aws/operation-names.ts";
import { readServiceModel, requiredMembers } from "../../src/aws/protocol/service-model.ts";
import * as schemas from "../../src/aws/lambda-core/schemas.ts";

/* The AWS CLI carries the published model of the service; ours must say the same of everything that goes over the wire. */

const file = publishedModelFile("lambda-core");
const published = () => readPublishedModel(file);
const model = readServiceModel(schemas);
type Schema = (typeof model.errors extends ReadonlyMap<string, infer E> ? E : never)["schema"];

/** Names, places and required ones of a structure's members, of both kinds of model. */
function ofPublished({ members = {}, required = [] }: PublishedShape) {
  const places = Object.entries(members).map(([name, member]) => {
    const place = member.location ? `${member.location} ${member.locationName}` : "body";
    return [name, place] as const;
  });
  return { members: Object.fromEntries(places), required: [...required].toSorted() };
}

function ofOurs(schema: Schema) {
  const places = [...schema.structIterator()].map(([name, member]) => {
    const { httpLabel, httpQuery, httpHeader } = member.getMergedTraits();
    if (httpLabel) return [name, `uri ${name}`] as const;
    if (httpQuery) return [name, `querystring ${httpQuery}`] as const;
    return [name, httpHeader ? `header ${httpHeader}` : "body"] as const;
  });
  return { members: Object.fromEntries(places), required: [...requiredMembers(schema)].toSorted() };
}

test("operations, their members and their places are the published ones", { skip: file === undefined }, async () => {
  const { operations, shapes } = await published();
  expect(operationNames(schemas).toSorted()).toEqual(Object.keys(operations).toSorted());
  for (const [name, { http, input, output }] of Object.entries(operations)) {
    const ours = model.operations.get(name);
    expect(ours).toMatchObject({ method: http.method, pathTemplate: http.requestUri, status: http.responseCode });
    expect(ours && ofOurs(ours.input)).toEqual(ofPublished(shapes[input.shape] as PublishedShape));
    expect(ours && ofOurs(ours.output)).toEqual(ofPublished(shapes[output.shape] as PublishedShape));
  }
});

test("errors and their status are the published ones", { skip: file === undefined }, async () => {
  const { shapes } = await published();
  const exceptions = Object.entries(shapes).filter(([, shape]) => shape.exception);
  expect([...model.errors.keys()].toSorted()).toEqual(exceptions.map(([name]) => name).toSorted());
  for (const [name, shape] of exceptions) {
    const ours = model.errors.get(name);
    expect(ours?.status).toBe(shape.error?.httpStatusCode ?? 500);
    expect(ours && ofOurs(ours.schema).members).toEqual(ofPublished(shape).members);
  }
});
