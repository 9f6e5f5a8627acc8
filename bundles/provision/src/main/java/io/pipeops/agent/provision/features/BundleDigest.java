package io.pipeops.agent.provision.features;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Digests of files; a jar is copied while it is digested, and only the copy is used afterwards. */
public final class BundleDigest {
  /** Largest jar that is accepted. */
  private static final long MAX_JAR = 256L << 20;

  /** It was the copy's fault, not the jar's. */
  private static final class Unwritten extends IOException {
    private static final long serialVersionUID = 1;

    Unwritten(IOException cause) {
      super(cause);
    }
  }

  private BundleDigest() {}

  /** SHA-256 in lower-case hex. */
  public static String of(byte[] content) {
    return HexFormat.of().formatHex(sha256().digest(content));
  }

  /**
   * The digest of a file.
   *
   * @throws IOException if it cannot be read or is too large
   */
  public static String of(Path file) throws IOException {
    return copy(file, OutputStream.nullOutputStream());
  }

  /**
   * Copies a jar to a place that only this process writes to.
   *
   * @throws BadFeature if the digest is another one; nothing is left then
   * @throws IOException if the jar cannot be read or the copy cannot be written; it says which
   */
  static void verifiedCopy(Path jar, String sha256, Path target) throws IOException, BadFeature {
    String found;
    try (OutputStream copy =
        Files.newOutputStream(
            target,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      found = copy(jar, copy);
    } catch (Unwritten failed) {
      Files.deleteIfExists(target);
      throw new IOException(
          "%s cannot be written: %s. Free space there"
              .formatted(target.getParent(), BoundedCall.reason(failed.getCause())));
    } catch (IOException failed) {
      Files.deleteIfExists(target);
      throw failed;
    }
    if (!found.equals(sha256)) {
      Files.deleteIfExists(target);
      throw new BadFeature(
          "%s has the digest %s, but the feature file says %s"
              .formatted(jar.getFileName(), found, sha256));
    }
  }

  /** A whole file, if it is not too long. */
  public static byte[] bounded(Path file, int limit) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] content = in.readNBytes(limit + 1);
      if (content.length > limit) {
        throw new IOException("larger than " + limit + " bytes");
      }
      return content;
    }
  }

  private static String copy(Path file, OutputStream copy) throws IOException {
    MessageDigest digest = sha256();
    byte[] buffer = new byte[16 * 1024];
    long total = 0;
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        total += n;
        if (total > MAX_JAR) {
          throw new IOException(file.getFileName() + " is larger than " + MAX_JAR + " bytes");
        }
        digest.update(buffer, 0, n);
        write(copy, buffer, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void write(OutputStream copy, byte[] buffer, int length) throws Unwritten {
    try {
      copy.write(buffer, 0, length);
    } catch (IOException failed) {
      throw new Unwritten(failed);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
