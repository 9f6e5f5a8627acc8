package io.pipeops.hub.agents;

/** Text of a peer made fit for a log line or an error message (protocol 11.1). */
public final class PeerText {
  private PeerText() {}

  /** At most {@code limit} characters, control characters replaced by spaces. */
  public static String clean(String text, int limit) {
    int length = Math.min(text.length(), limit);
    StringBuilder out = new StringBuilder(length);
    for (int i = 0; i < length; i++) {
      char c = text.charAt(i);
      out.append(Character.isISOControl(c) || c == '\u2028' || c == '\u2029' ? ' ' : c);
    }
    return out.toString();
  }

  /** At most 256 characters, control characters replaced by spaces. */
  public static String clean(String text) {
    return clean(text, 256);
  }
}
