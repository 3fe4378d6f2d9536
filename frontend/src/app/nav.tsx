import type { MouseEvent } from 'react';

import { navigate, type Path, usePath } from '../lib/route';

export const PAGES: { path: Path; title: string }[] = [
  { path: '/', title: 'Today' },
  { path: '/risk', title: 'Risk' },
];

/** Lead from page to page: plain links, so that they can be opened in another tab as well. */
export function Nav() {
  const here = usePath();
  const follow = (event: MouseEvent, path: Path) => {
    const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!isPlain) return;
    event.preventDefault();
    navigate(path);
  };
  return (
    <nav className="nav" aria-label="Pages">
      {PAGES.map(({ path, title }) => (
        <a
          key={path}
          href={path}
          aria-current={path === here ? 'page' : undefined}
          onClick={(event) => {
            follow(event, path);
          }}
        >
          {title}
        </a>
      ))}
    </nav>
  );
}
