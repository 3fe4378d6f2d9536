import type { Health } from '../../client';
import { type Tone, ToneIcon } from '../../components/icons';
import { formatAge } from '../../lib/format';

const FEED_OLD_S = 10;
const PROCESS_OLD_S = 30;

/** Show the machinery in one line: engines, prices, scheduler, workers, queues. */
export function HealthStrip({ health, isOpen }: { health: Health; isOpen: boolean }) {
  const alive = health.workers.filter((worker) => worker.age_s <= PROCESS_OLD_S).length;
  const waiting = health.queues.reduce((sum, queue) => sum + queue.length, 0);
  const queues = health.queues.map((queue) => `${queue.name}: ${queue.length}`).join('\n');
  return (
    <ul className="health" aria-label="Health">
      <Part
        name="Database"
        tone={health.is_database_up ? 'good' : 'bad'}
        text={upOrDown(health.is_database_up)}
      />
      <Part name="Valkey" tone={health.is_valkey_up ? 'good' : 'bad'} text={upOrDown(health.is_valkey_up)} />
      <Part
        name="Prices"
        tone={ageTone(health.feed_age_s, FEED_OLD_S, isOpen)}
        text={formatAge(health.feed_age_s)}
      />
      <Part
        name="Scheduler"
        tone={ageTone(health.beat_age_s, PROCESS_OLD_S, true)}
        text={formatAge(health.beat_age_s)}
      />
      <Part
        name="Workers"
        tone={health.workers.length === 0 ? 'idle' : alive < health.workers.length ? 'bad' : 'good'}
        text={health.workers.length === 0 ? 'never heard' : `${alive} of ${health.workers.length}`}
        title={health.workers.map((worker) => `${worker.name}: ${formatAge(worker.age_s)}`).join('\n')}
      />
      <Part name="Queued" tone={waiting > 100 ? 'warn' : 'good'} text={`${waiting} tasks`} title={queues} />
      <li>
        <a href={health.flower_url} target="_blank" rel="noreferrer">
          Jobs in Flower ↗
        </a>
      </li>
    </ul>
  );
}

function Part({ name, tone, text, title }: { name: string; tone: Tone; text: string; title?: string }) {
  return (
    <li title={title}>
      <ToneIcon tone={tone} size={12} />
      {name} <b className="num">{text}</b>
    </li>
  );
}

function upOrDown(isUp: boolean): string {
  return isUp ? 'up' : 'down';
}

function ageTone(age: number | null, limit: number, matters: boolean): Tone {
  if (age === null) return 'idle';
  if (age <= limit) return 'good';
  return matters ? 'bad' : 'idle';
}
