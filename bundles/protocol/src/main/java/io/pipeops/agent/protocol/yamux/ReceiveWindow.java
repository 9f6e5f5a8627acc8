package io.pipeops.agent.protocol.yamux;

import java.nio.ByteBuffer;

/**
 * What the peer may still send on one stream, and what it has sent that nobody read. Guarded by its
 * stream.
 */
final class ReceiveWindow {
  private final YamuxSettings settings;
  private final WindowBudget budget;
  private final ReceiveBuffer buffer = new ReceiveBuffer();
  private int size = YamuxSettings.BASE_WINDOW;
  private int left = YamuxSettings.BASE_WINDOW;
  private long charged;
  private long lastUpdate;
  private boolean updated;
  private boolean released;

  ReceiveWindow(YamuxSettings settings, WindowBudget budget) {
    this.settings = settings;
    this.budget = budget;
  }

  int left() {
    return left;
  }

  int size() {
    return size;
  }

  boolean hasData() {
    return buffer.size() > 0;
  }

  /** Raises the window to where streams start; returns what is to be announced. */
  int start() {
    int by = grow(settings.startWindow() - size);
    left += by;
    return by;
  }

  /**
   * Takes received bytes, for which the window was claimed.
   *
   * @return false if there is no memory left for them
   */
  boolean add(ByteBuffer data) {
    if (released) {
      return true;
    }
    if (!charge(size, buffer.size() + data.remaining())) {
      return false;
    }
    buffer.add(data);
    return true;
  }

  /** Uses up the part of the window that a frame will fill. */
  void claim(int bytes) {
    left -= bytes;
  }

  int read(ByteBuffer target) {
    int n = buffer.read(target);
    charge(size, buffer.size());
    return n;
  }

  ByteBuffer take() {
    ByteBuffer piece = buffer.take();
    charge(size, buffer.size());
    return piece;
  }

  /**
   * What is to be announced to the peer after reading: nothing until half the window has been used
   * up. Two updates within two round trips mean that the window holds the peer up, so it doubles.
   */
  int update(long now, long roundTripNanos) {
    int delta = size - buffer.size() - left;
    if (delta < size / 2) {
      return 0;
    }
    if (updated && roundTripNanos > 0 && now - lastUpdate < 2 * roundTripNanos) {
      grow(Math.min(size, settings.maxWindow() - size));
      delta = size - buffer.size() - left;
    }
    updated = true;
    lastUpdate = now;
    left += delta;
    return delta;
  }

  private int grow(int by) {
    if (by <= 0 || released || !charge(size + by, buffer.size())) {
      return 0;
    }
    size += by;
    return by;
  }

  /** A stream costs its unread bytes, but at least what its window is larger than usual. */
  private boolean charge(int window, int unread) {
    long due = released ? 0 : Math.max(window - YamuxSettings.BASE_WINDOW, unread);
    if (due > charged && !budget.take(due - charged)) {
      return false;
    }
    if (due < charged) {
      budget.give(charged - due);
    }
    charged = due;
    return true;
  }

  /** Drops what is unread and gives back all memory. */
  void release() {
    released = true;
    buffer.clear();
    charge(size, 0);
  }
}
