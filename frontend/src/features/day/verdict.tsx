import type { Severity, Summary } from '../../client';
import { type Tone, ToneIcon } from '../../components/icons';

const WORDS: Record<Severity, { tone: Tone; title: string }> = {
  ok: { tone: 'good', title: 'All is well' },
  attention: { tone: 'warn', title: 'Needs a look' },
  trouble: { tone: 'bad', title: 'Trouble' },
};

/** Say in two seconds whether the day is healthy, and if not, why. */
export function Verdict({ summary }: { summary: Summary }) {
  const { tone, title } = WORDS[summary.verdict];
  return (
    <section className={`verdict verdict-${summary.verdict}`} aria-label="Verdict" role="status">
      <div className="verdict-title">
        <ToneIcon tone={tone} size={22} />
        <strong>{title}</strong>
      </div>
      {summary.findings.length === 0 ? (
        <p>{summary.session === null ? 'The market is closed today.' : 'Nothing needs you.'}</p>
      ) : (
        <ul>
          {summary.findings.map((finding) => (
            <li key={finding.code}>
              <ToneIcon tone={WORDS[finding.severity].tone} />
              {finding.message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
