export { corrupt, type CorruptByIds, type CorruptByTokenizer, type CorruptOptions } from './corrupt.js';
export { outcomeCodes } from './hiddenIds.js';
export { labels, labelsOf, type LabelsOptions } from './labels.js';
export { drawOutcomes, outcomes, type OutcomeShares, type OutcomesOptions } from './outcomes.js';
export { replaceWithMask, type ReplaceWithMaskOptions } from './replaceWithMask.js';
export { replaceWithRandom, type ReplaceWithRandomOptions } from './replaceWithRandom.js';
export { replaceWithValue, type ReplaceWithValueOptions } from './replaceWithValue.js';
