/**
 * Who may import whom. Levels from the ground up; a module sees its own folder and every level below it, and of its
 * neighbours on the same level only the files listed as their ports.
 */
const LEVELS = [
  ["model", "errors", "util"],
  ["config", "observability"],
  ["store", "network", "engine", "guest-link", "auth"],
  ["build", "lifecycle"],
  ["aws", "metadata", "proxy"],
  ["main"],
];

/** Files that neighbours on the same level may import: interfaces and the tables, never a driver. */
const PORTS = [
  "(model|errors|util)/",
  "store/[^/]+\\.ts$",
  "engine/engine\\.ts$",
  "guest-link/guest-link\\.ts$",
  "network/slot\\.ts$",
  "auth/(authorizer|endpoint-token)\\.ts$",
  "build/(image-builder|artifact-source)\\.ts$",
  "aws/service\\.ts$",
];

/** The command line speaks to the server over HTTP; beyond the model it knows only settings, errors and small leaves. */
const CLI_MAY_IMPORT = ["cli", "model", "errors", "util", "config"];

const TESTS = "\\.test\\.ts$";

const anyOf = (names) => `(${names.join("|")})`;

function levelRules(modules, level) {
  const above = [...LEVELS.slice(level + 1).flat(), "cli"];
  const upward = {
    name: `only-downward-from-${modules.join("-")}`,
    comment: `${modules.join(", ")} may not import from a level above.`,
    severity: "error",
    from: { path: `^src/${anyOf(modules)}/`, pathNot: TESTS },
    to: { path: `^src/${anyOf(above)}/` },
  };
  const sideways = modules.map((module) => ({
    name: `only-ports-beside-${module}`,
    comment: `Of its neighbours, ${module} may import the ports only (PORTS in .dependency-cruiser.mjs).`,
    severity: "error",
    from: { path: `^src/${module}/`, pathNot: TESTS },
    to: {
      path: `^src/${anyOf(modules.filter((other) => other !== module))}/`,
      pathNot: PORTS.map((port) => `^src/${port}`),
    },
  }));
  return modules.length > 1 ? [upward, ...sideways] : [upward];
}

const SINGLE_RULES = [
  {
    name: "no-cycles",
    comment: "A cycle has no order to start in, to test in, or to read in.",
    severity: "error",
    from: {},
    to: { circular: true },
  },
  {
    name: "cli-is-a-client",
    severity: "error",
    from: { path: "^src/cli/", pathNot: TESTS },
    to: { path: "^src/", pathNot: `^src/${anyOf(CLI_MAY_IMPORT)}/` },
  },
  {
    name: "drivers-know-their-port-only",
    comment: "engine/qemu and engine/firecracker never import each other.",
    severity: "error",
    from: { path: "^src/engine/(qemu|firecracker)/" },
    to: { path: "^src/engine/(qemu|firecracker)/", pathNot: "^src/engine/$1/" },
  },
  {
    name: "aws-services-are-separate",
    comment: "One AWS service's folder never imports another's; what they share lies beside them.",
    severity: "error",
    from: { path: "^src/aws/(lambda-microvms|lambda-core|s3|iam|sts|logs)/", pathNot: TESTS },
    to: { path: "^src/aws/(lambda-microvms|lambda-core|s3|iam|sts|logs)/", pathNot: "^src/aws/$1/" },
  },
  {
    name: "source-imports-no-tests",
    severity: "error",
    from: { path: "^(src|bin)/", pathNot: TESTS },
    to: { path: `${TESTS}|^(test|bench|tools)/` },
  },
  {
    name: "no-development-packages-in-source",
    severity: "error",
    from: { path: "^src/", pathNot: TESTS },
    to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
  },
  {
    name: "everything-resolves",
    severity: "error",
    from: {},
    to: { couldNotResolve: true },
  },
];

export default {
  forbidden: [...LEVELS.flatMap(levelRules), ...SINGLE_RULES],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js"],
      conditionNames: ["node", "import", "default"],
      exportsFields: ["exports"],
    },
  },
};
