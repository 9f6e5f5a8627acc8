package io.pipeops.agent.launcher;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * The folder for what lives as long as the process: the framework's cache, copies of bundles,
 * addresses. It is written to before anything starts in it, because a full disk and a read-only
 * mount both say that a folder is writable.
 */
final class RunFolder {
  /** About what a program needs; with less it would stop halfway, and not say it as clearly. */
  private static final int NEEDED = 1 << 20;

  private RunFolder() {}

  /**
   * A new one in the system's folder for temporary files.
   *
   * @throws IOException if it cannot be written; the message says why and what to do
   */
  static Path temporary() throws IOException {
    Path dir = null;
    try {
      dir = Files.createTempDirectory("pipeops-agent-");
      probe(dir);
      dir.toFile().deleteOnExit();
      return dir;
    } catch (IOException e) {
      if (dir != null) {
        Files.deleteIfExists(dir);
      }
      throw new IOException(
          ("No run folder can be made in %s: %s. Free 1 MiB there, or name a folder that can be"
                  + " written with --run-dir")
              .formatted(System.getProperty("java.io.tmpdir"), reason(e)),
          e);
    }
  }

  /**
   * This one, which is made for this user alone where it is missing.
   *
   * @throws IOException if it cannot be written; the message says why and what to do
   */
  static Path at(Path dir) throws IOException {
    try {
      if (!Files.isDirectory(dir)) {
        Files.createDirectories(
            dir,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
      probe(dir);
      return dir;
    } catch (IOException e) {
      throw new IOException(
          ("The run folder %s cannot be written: %s. Free 1 MiB there, or name another folder with"
                  + " --run-dir")
              .formatted(dir, reason(e)),
          e);
    }
  }

  private static void probe(Path dir) throws IOException {
    Path file = Files.createTempFile(dir, "probe", "");
    byte[] piece = new byte[32 << 10];
    try (OutputStream out = Files.newOutputStream(file)) {
      for (int written = 0; written < NEEDED; written += piece.length) {
        out.write(piece);
      }
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** The system's own words, without the path that the message has already. */
  private static String reason(IOException e) {
    if (e instanceof FileSystemException f && f.getReason() != null) {
      return f.getReason();
    }
    return e.getClass() == IOException.class && e.getMessage() != null
        ? e.getMessage()
        : e.toString();
  }
}
