/** The frame around every page: skip link, header, main. */

import type { ComponentChildren } from "preact";
import { Announcer } from "./announce";
import { Icon } from "./icon";
import { ThemeSwitch } from "./theme";

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect x="1" y="5" width="30" height="22" rx="6" fill="#4f46e5" />
      <path d="M13 11.2v9.6a.8.8 0 0 0 1.2.7l8-4.8a.8.8 0 0 0 0-1.4l-8-4.8a.8.8 0 0 0-1.2.7z" fill="#fff" />
    </svg>
  );
}

interface FrameProps {
  brand: ComponentChildren;
  middle?: ComponentChildren;
  end?: ComponentChildren;
  children: ComponentChildren;
}

function Frame({ brand, middle, end, children }: FrameProps) {
  return (
    <>
      <a class="skip-link" href="#main">
        Skip to content
      </a>
      <header class="header">
        <nav aria-label="Main">{brand}</nav>
        {middle}
        <div class="header-end">
          {end}
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" class="main" tabIndex={-1}>
        {children}
      </main>
      <Announcer />
    </>
  );
}

interface SiteFrameProps {
  /** Which words the search field holds. */
  query?: string;
  /** Called with every change; without it the field leads to the catalogue. */
  onQuery?: (query: string) => void;
  children: ComponentChildren;
}

/** A page of the site. */
export function SiteFrame({ query = "", onQuery, children }: SiteFrameProps) {
  return (
    <Frame
      brand={
        <a class="brand" href="./index.html">
          <Mark />
          Vodline
        </a>
      }
      middle={
        <search class="search">
          <form
            class="search"
            action="./index.html"
            method="get"
            onSubmit={(event) => {
              if (onQuery) event.preventDefault();
            }}
          >
            <input
              id="search"
              type="search"
              name="q"
              value={query}
              placeholder="Search"
              aria-label="Search videos"
              autocomplete="off"
              onInput={(event) => onQuery?.(event.currentTarget.value)}
            />
            <button type="submit" aria-label="Search">
              <Icon name="search" />
            </button>
          </form>
        </search>
      }
      end={
        <a class="button" href="./upload.html">
          <Icon name="upload" /> Upload
        </a>
      }
    >
      {children}
    </Frame>
  );
}

/** A page of the executions console. */
export function ConsoleFrame({ children }: { children: ComponentChildren }) {
  return (
    <Frame
      brand={
        <a class="brand" href="./executions.html">
          <Mark />
          <div>
            Vodline <span>executions</span>
          </div>
        </a>
      }
    >
      {children}
    </Frame>
  );
}
