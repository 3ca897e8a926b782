// video.js writes <style> elements unless told not to before it loads; a strict Content-Security-Policy refuses them. Import
// this first.
declare global {
  interface Window {
    VIDEOJS_NO_DYNAMIC_STYLE?: boolean;
  }
}

window.VIDEOJS_NO_DYNAMIC_STYLE = true;

export {};
