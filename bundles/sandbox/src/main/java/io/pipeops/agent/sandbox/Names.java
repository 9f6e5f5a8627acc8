package io.pipeops.agent.sandbox;

import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/** What an object may be called (RFC 1123), and names that are made up. */
final class Names {
  private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?");
  private static final Pattern SUBDOMAIN =
      Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  private static final Pattern LABEL_KEY =
      Pattern.compile("([-a-z0-9.]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?");
  private static final Pattern LABEL_VALUE =
      Pattern.compile("([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?");

  /** No vowels and no look-alikes, so that no words come out. */
  private static final String ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

  private Names() {}

  /** What is wrong with a name; empty if nothing is. */
  static String fault(ResourceType type, String name) {
    if (type.group().equals("rbac.authorization.k8s.io")) {
      boolean good = !name.equals(".") && !name.equals("..") && !name.matches(".*[/%].*");
      return good && name.length() <= 253 ? "" : "must be one part of a path: no '/' and no '%'";
    }
    boolean label = type.qualified().equals("namespaces") || type.qualified().equals("services");
    if (label) {
      return name.length() <= 63 && LABEL.matcher(name).matches()
          ? ""
          : "must be an RFC 1123 label: at most 63 of a-z, 0-9 and '-', with a letter or digit at"
              + " both ends";
    }
    return name.length() <= 253 && SUBDOMAIN.matcher(name).matches()
        ? ""
        : "must be an RFC 1123 subdomain: at most 253 of a-z, 0-9, '-' and '.', with a letter or"
            + " digit at both ends of each part";
  }

  static boolean labelKey(String key) {
    return LABEL_KEY.matcher(key).matches();
  }

  static boolean labelValue(String value) {
    return LABEL_VALUE.matcher(value).matches();
  }

  /** Five random characters behind the prefix. */
  static String generate(String prefix) {
    String base = prefix.length() > 58 ? prefix.substring(0, 58) : prefix;
    StringBuilder name = new StringBuilder(base);
    for (int i = 0; i < 5; i++) {
      name.append(ALPHABET.charAt(ThreadLocalRandom.current().nextInt(ALPHABET.length())));
    }
    return name.toString();
  }

  /** Ten characters that depend on the text only, for names of ReplicaSets. */
  static String hash(String text) {
    long hash = 1125899906842597L;
    for (int i = 0; i < text.length(); i++) {
      hash = 31 * hash + text.charAt(i);
    }
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < 10; i++) {
      name.append(ALPHABET.charAt((int) Math.floorMod(hash, (long) ALPHABET.length())));
      hash = hash * 6364136223846793005L + 1442695040888963407L;
      hash ^= hash >>> 29;
    }
    return name.toString();
  }
}
