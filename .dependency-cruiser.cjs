// The arrows of the house, as rules: cli → sinks, sources, operators → models, losses, optimizers → core; backends are
// wired in by `run` and the command line alone. tests/repository/layers.test.ts proves that each rule fires.

const PORTABLE = '^src/(core|operators|models|losses|optimizers)/';
const TFJS = 'node_modules/@tensorflow/tfjs(-core|-layers|-data)?/';
const TFJS_BACKEND = 'node_modules/@tensorflow/tfjs-(backend-|node)';

/** A room and all that it may import of src; npm packages and Node have rules of their own. */
function room(name, { from, to }, why) {
  return {
    name,
    severity: 'error',
    comment: why,
    from: { path: from },
    to: { path: '^src/', pathNot: to.map((place) => `^src/${place}/`) },
  };
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Modules that need each other when they load are one module. (Types may refer to each other.)',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'An import that resolves to nothing, or to a package that package.json does not list.',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'runtime-packages-only',
      severity: 'error',
      comment: 'What users install has no development dependencies.',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    room('core-stands-alone', { from: '^src/core/', to: ['core'] }, 'core knows no modality, no stage and no backend.'),
    {
      name: 'core-packages',
      severity: 'error',
      comment: 'core stands on rxjs and apache-arrow; of tfjs it sees types.',
      from: { path: '^src/core/' },
      to: { path: 'node_modules/', pathNot: ['node_modules/(rxjs|apache-arrow)/', TFJS] },
    },
    {
      name: 'tfjs-values',
      severity: 'error',
      comment: 'Models, losses and optimizers describe work in tfjs operations, backends run it; everybody else sees types only.',
      from: { path: '^src/', pathNot: '^src/(models|losses|optimizers|backends)/' },
      to: { path: TFJS, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'tfjs-backends',
      severity: 'error',
      comment: 'Only src/backends creates a backend.',
      from: { path: '^src/', pathNot: '^src/backends/' },
      to: { path: TFJS_BACKEND },
    },
    {
      name: 'no-node-in-portable-rooms',
      severity: 'error',
      comment: 'The same chain must run in a browser tab: files, workers and the like are injected.',
      from: { path: PORTABLE },
      to: { dependencyTypes: ['core'] },
    },
    room('models-see-core', { from: '^src/models/', to: ['models', 'core'] }, 'A model knows no stage, no loss and no source.'),
    room('losses-see-core', { from: '^src/losses/', to: ['losses', 'core'] }, 'A loss knows no stage, no model and no source.'),
    room('optimizers-see-core', { from: '^src/optimizers/', to: ['optimizers', 'core'] }, 'An optimizer knows no stage and no model.'),
    room(
      'operators-see-what-is-below',
      { from: '^src/operators/', to: ['operators', 'models', 'losses', 'optimizers', 'core'] },
      'An operator never sees where samples come from, where they end or what runs them.',
    ),
    {
      name: 'optimizers-by-type',
      severity: 'error',
      comment: 'Which optimizer trains is the recipe’s choice; an operator at most names its type.',
      from: { path: '^src/operators/' },
      to: { path: '^src/optimizers/', dependencyTypesNot: ['type-only'] },
    },
    room(
      'sources-see-core',
      { from: '^src/sources/', to: ['sources', 'operators/views', 'core'] },
      'A source shares the pure decoding of views; nothing else.',
    ),
    room(
      'sinks-see-what-is-below',
      { from: '^src/sinks/', to: ['sinks', 'operators', 'models', 'losses', 'optimizers', 'formats', 'core'] },
      'A sink writes or measures what operators made; it never sees where samples come from or what runs them.',
    ),
    room('formats-see-core', { from: '^src/formats/', to: ['formats', 'core'] }, 'Each format could be a package of its own.'),
    room('backends-see-core', { from: '^src/backends/', to: ['backends', 'core'] }, 'An executor runs any program: it knows none.'),
    {
      name: 'backends-are-injected',
      severity: 'error',
      comment: 'Only run and the command line wire a backend in; everything else sees the executor of core.',
      from: { path: '^src/', pathNot: '^src/(backends|run|cli)/' },
      to: { path: '^src/backends/' },
    },
    {
      name: 'nothing-sees-run',
      severity: 'error',
      comment: 'A stage finds the run that it stands in through core; only the command line and the index know how a run is made.',
      from: { path: '^src/', pathNot: '^src/(run/|cli/|index\\.ts$)' },
      to: { path: '^src/run/' },
    },
    {
      name: 'nothing-sees-cli',
      severity: 'error',
      comment: 'The command line calls the library, never the other way round.',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      comment: 'What is published does not lean on what is not.',
      from: { path: '^src/' },
      to: { path: '^(pipelines|tests|bench|tools|dist|bin)/' },
    },
    {
      name: 'pipelines-import-the-package',
      severity: 'error',
      comment: "A pipeline imports 'maskflow', as a user's would; '../src' would be a second copy of the package.",
      from: { path: '^pipelines/' },
      to: { path: '^src/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|^dist/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'], mainFields: ['types', 'module', 'main'] },
    // The path comes out as it stands in the import, also where node_modules is a link.
    preserveSymlinks: true,
  },
};
