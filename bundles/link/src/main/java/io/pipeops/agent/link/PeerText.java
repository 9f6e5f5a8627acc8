package io.pipeops.agent.link;

/** Text that came from the peer, made fit for a log line or a status (protocol 11.1). */
final class PeerText {
  private static final int LONGEST = 300;

  private PeerText() {}

  /** One line without control characters, cut where it gets long. */
  static String line(String text) {
    if (text == null) {
      return "";
    }
    int end = Math.min(text.length(), LONGEST);
    StringBuilder out = new StringBuilder(end);
    for (int i = 0; i < end; i++) {
      char c = text.charAt(i);
      out.append(Character.isISOControl(c) || c == '\u2028' || c == '\u2029' ? ' ' : c);
    }
    if (end < text.length()) {
      out.append('…');
    }
    return out.toString().strip();
  }

  /** As {@link #line}, with the secret masked in case the peer echoed it. */
  static String line(String text, String secret) {
    String plain = text == null ? "" : text;
    return line(secret.length() < 4 ? plain : plain.replace(secret, "***"));
  }
}
