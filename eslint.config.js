// Only the rules that Biome cannot check: those that need full types (Biome's own noFloatingPromises does not see
// promises that come from Node's modules) and those on properties that a reproducible run must not touch.
import tseslint from 'typescript-eslint';

const PORTABLE = ['core', 'operators', 'models', 'losses', 'optimizers'].map((room) => `src/${room}/**/*.ts`);
const RANDOM = [
  { object: 'Math', property: 'random', message: 'Draw from a Key (core/key.ts): results must not depend on ambient randomness.' },
  { object: 'crypto', property: 'getRandomValues', message: 'Draw from a Key (core/key.ts).' },
  ...['randomUniform', 'randomNormal', 'randomStandardNormal', 'randomUniformInt', 'randomGamma', 'truncatedNormal', 'multinomial', 'dropout'].map(
    (property) => ({ object: 'tf', property, message: 'Declare a draw in the program (core/program.ts): it is keyed.' }),
  ),
];
const CLOCK = [
  { object: 'Date', property: 'now', message: 'No clock where a result could depend on it.' },
  { object: 'performance', property: 'now', message: 'No clock where a result could depend on it.' },
];
const BACKEND = ['setBackend', 'registerBackend', 'removeBackend'].map((property) => ({
  property,
  message: 'Only src/backends chooses or creates a backend.',
}));

export default tseslint.config(
  { ignores: ['dist/', 'runs/', 'coverage/', 'node_modules/', '**/*.{js,mjs,cjs}', '**/.*'] },
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': tseslint.plugin },
    languageOptions: { parser: tseslint.parser, parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname } },
    // A suppression that suppresses nothing is an error: tests/repository/floatingPromises.ts proves that the rules fire.
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
    },
  },
  { files: ['src/**/*.ts'], rules: { 'no-restricted-properties': ['error', ...RANDOM, ...BACKEND] } },
  { files: PORTABLE, rules: { 'no-restricted-properties': ['error', ...RANDOM, ...CLOCK, ...BACKEND] } },
  { files: ['src/backends/**/*.ts'], rules: { 'no-restricted-properties': ['error', ...RANDOM] } },
);
