// Where special tokens stand around texts: the post-processors of Hugging Face's tokenizers as one list of pieces.
import type { Piece, Template } from '../../operators/views/tokenizer.js';
import { type Part, broken } from './tokenizerJson.js';

/** Special tokens around texts, from the post-processor. */
export function templateOf(path: string, processor: Part | null | undefined, idOf: ReadonlyMap<string, number>): Template {
  const first: Piece = { text: 0, segment: 0 };
  const second = (segment: number): Piece => ({ text: 1, segment });
  switch (processor?.type) {
    case undefined:
    case 'ByteLevel':
      // Without a template two texts follow one another, as segments 0 and 1.
      return { single: [first], pair: [first, second(1)] };
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const { cls, sep } = processor as unknown as { cls: [string, number]; sep: [string, number] };
      const token = (id: number, segment: number): Piece => ({ id, segment });
      const single = [token(cls[1], 0), first, token(sep[1], 0)];
      if (processor.type === 'BertProcessing') return { single, pair: [...single, second(1), token(sep[1], 1)] };
      return { single, pair: [...single, token(sep[1], 0), second(0), token(sep[1], 0)] };
    }
    case 'TemplateProcessing': {
      type Given = { Sequence?: { id: 'A' | 'B'; type_id: number }; SpecialToken?: { id: string; type_id: number } };
      const { single, pair, special_tokens } = processor as unknown as { single: Given[]; pair: Given[]; special_tokens: Record<string, { ids: number[] }> };
      const read = (pieces: readonly Given[]): Piece[] =>
        pieces.flatMap(({ Sequence, SpecialToken }): Piece[] => {
          if (Sequence !== undefined) return [{ text: Sequence.id === 'A' ? 0 : 1, segment: Sequence.type_id }];
          if (SpecialToken === undefined) throw broken(path, 'its template has a piece that is neither text nor special token');
          const ids = special_tokens[SpecialToken.id]?.ids ?? (idOf.has(SpecialToken.id) ? [idOf.get(SpecialToken.id) as number] : []);
          if (ids.length === 0) throw broken(path, `its template names the unknown token ${JSON.stringify(SpecialToken.id)}`);
          return ids.map((id) => ({ id, segment: SpecialToken.type_id }));
        });
      return { single: read(single), pair: read(pair) };
    }
    case 'Sequence': {
      const parts = ((processor as { processors?: Part[] }).processors ?? []).filter(({ type }) => type !== 'ByteLevel');
      if (parts.length > 1) throw broken(path, `its post-processor chains ${parts.map(({ type }) => type).join(', ')}, which is not read`);
      return templateOf(path, parts[0], idOf);
    }
    default:
      throw broken(
        path,
        `its post-processor ${JSON.stringify(processor?.type)} is not read`,
        undefined,
        'TemplateProcessing, BertProcessing, RobertaProcessing and ByteLevel are.',
      );
  }
}
