package io.pipeops.agent.link;

import java.util.HashSet;
import java.util.Set;

/** Which unknown types were answered already on one logical connection (protocol 2.6). */
final class UnknownTypes {
  static final int REMEMBERED = 256;

  private final Set<String> seen = new HashSet<>();

  /**
   * Whether this is the first message of that type, and so to be answered. A long name counts as
   * the same type as others that begin like it; when the memory is full nothing is answered any
   * more.
   */
  synchronized boolean first(String type) {
    String name = type.length() > 128 ? type.substring(0, 128) : type;
    return seen.size() < REMEMBERED && seen.add(name);
  }
}
