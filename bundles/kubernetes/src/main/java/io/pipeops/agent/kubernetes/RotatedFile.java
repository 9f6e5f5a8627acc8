package io.pipeops.agent.kubernetes;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small text file that Kubernetes replaces now and then: it is looked at no more than once a
 * second and read again when it is another one. While it cannot be read the last text stays valid,
 * because a mounted volume is exchanged in several steps. Safe for all threads.
 */
final class RotatedFile {
  private static final Logger log = LoggerFactory.getLogger(RotatedFile.class);
  private static final long LOOK_NANOS = 1_000_000_000L;
  private static final int MAX_BYTES = 1 << 20;

  private record Stamp(Object key, long modified, long size) {}

  private final Path path;
  private Stamp stamp;
  private String text;
  private long looked;

  RotatedFile(Path path) {
    this.path = path;
  }

  Path path() {
    return path;
  }

  /** The trimmed text; empty if the file is not there or has nothing in it. */
  synchronized Optional<String> text() {
    long now = System.nanoTime();
    if (stamp == null || now - looked >= LOOK_NANOS) {
      looked = now;
      read();
    }
    return Optional.ofNullable(text).filter(t -> !t.isEmpty());
  }

  private void read() {
    try {
      BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
      Stamp found =
          new Stamp(
              attributes.fileKey(), attributes.lastModifiedTime().toMillis(), attributes.size());
      if (found.equals(stamp)) {
        return;
      }
      if (found.size > MAX_BYTES) {
        throw new IOException("larger than " + MAX_BYTES + " bytes");
      }
      String read = Files.readString(path, StandardCharsets.UTF_8).trim();
      if (!read.isEmpty() || text == null) {
        text = read;
        stamp = found;
      }
    } catch (IOException e) {
      log.debug("Cannot read file={}: {}", path, e.toString());
    }
  }
}
