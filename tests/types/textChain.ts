// What the compiler must know of a chain for text, and what it must refuse. Nothing here runs.
import { maskedLanguage, patchReconstruction, spanBoundary } from '../../src/losses/index.js';
import { textEncoder, withSpanBoundary } from '../../src/models/index.js';
import { batch, bernoulli, corrupt, epochs, loss, mask, model, shuffle, tokenize } from '../../src/operators/index.js';
import { adamw } from '../../src/optimizers/index.js';
import { maskedAccuracy, modelFolder, train } from '../../src/sinks/index.js';
import { textLines, tokenizer } from '../../src/sources/index.js';

const words = await tokenizer('tokenizer.json');
const encoder = textEncoder({ vocabulary: words.vocabulary, architecture: 'modern', never: [words.maskId] });
const tokens = textLines('corpus.txt').pipe(epochs(1), shuffle(), batch(32), tokenize(words, { length: 64 }));
const asking = tokens.pipe(mask(bernoulli({ ratio: 0.15 })), corrupt({ maskId: words.maskId, vocabulary: words.vocabulary }));

asking.pipe(model(encoder), loss(maskedLanguage()), train(adamw()), maskedAccuracy({ model: encoder, train: tokens, test: asking }));
asking.pipe(model(textEncoder({ from: modelFolder('bert') })), loss(maskedLanguage({ over: 'tokens' })));

// @ts-expect-error: a text encoder predicts no patches
asking.pipe(model(encoder), loss(patchReconstruction()));

const spanning = tokens.pipe(mask(bernoulli()), corrupt({ tokenizer: words, unit: 'span' }), model(withSpanBoundary(encoder)));
spanning.pipe(
  loss(maskedLanguage()),
  loss(spanBoundary(), { name: 'boundary' }),
  train(adamw()),
  maskedAccuracy({ model: withSpanBoundary(encoder), train: tokens, test: asking }),
);

// @ts-expect-error: the boundary is asked of an encoder that has its head
asking.pipe(model(encoder), loss(spanBoundary()));

// @ts-expect-error: a tokenizer, or both numbers
corrupt({ maskId: words.maskId });
