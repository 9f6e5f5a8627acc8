package io.pipeops.hub.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;

/**
 * The folder that holds the hub's state: its database, keys, certificates and first tokens. Files
 * are replaced as a whole, so that a crash leaves the old one or the new one. Only the hub's own
 * user can read what is secret. One hub at a time has it.
 */
public final class StateDirectory implements AutoCloseable {
  private static final long MAX_FILE = 1 << 20;

  private static final String LOCK_FILE = "hub.lock";

  private final Path path;
  private FileChannel lock;

  private StateDirectory(Path path) {
    this.path = path;
  }

  /**
   * Creates the folder where it is missing, makes sure that it can be written, and takes it until
   * {@link #close}.
   *
   * @throws IOException if it cannot; the message names the path, the cause and what to do
   */
  public static StateDirectory open(Path path) throws IOException {
    Path absolute = path.toAbsolutePath().normalize();
    StateDirectory state = new StateDirectory(absolute);
    try {
      if (!Files.isDirectory(absolute)) {
        Files.createDirectories(absolute, permissions(absolute, "rwx------"));
      }
      // Written, not asked: a full disk and a read-only mount both say that the folder is writable.
      Path probe = state.temporary("rw-------", new byte[8192]);
      Files.delete(probe);
    } catch (IOException e) {
      throw new IOException(
          ("state_dir %s cannot be written: %s. Free space or give the hub's user a folder that it"
                  + " may write")
              .formatted(absolute, reason(e)),
          e);
    }
    state.take();
    return state;
  }

  private void take() throws IOException {
    FileChannel channel =
        FileChannel.open(
            file(LOCK_FILE),
            Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE),
            permissions(path, "rw-------"));
    try {
      if (channel.tryLock() != null) {
        lock = channel;
        return;
      }
    } catch (OverlappingFileLockException e) {
      // Held by this very process; told as below.
    } catch (IOException e) {
      channel.close();
      throw new IOException("Cannot lock %s: %s".formatted(file(LOCK_FILE), reason(e)), e);
    }
    channel.close();
    throw new IOException(
        "state_dir %s is in use by another hub. Stop that one, or give each its own state_dir"
            .formatted(path));
  }

  /** Gives the folder free. */
  @Override
  public void close() throws IOException {
    lock.close();
  }

  public Path path() {
    return path;
  }

  public Path file(String name) {
    return path.resolve(name);
  }

  /** The content of a file; empty if there is none. */
  public Optional<byte[]> read(String name) throws IOException {
    Path file = file(name);
    try {
      if (Files.size(file) > MAX_FILE) {
        throw new IOException(file + " is larger than " + MAX_FILE + " bytes, which it never is");
      }
      return Optional.of(Files.readAllBytes(file));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (FileSystemException e) {
      throw new IOException("Cannot read %s: %s".formatted(file, reason(e)), e);
    }
  }

  /** Takes a file that something else has made from the eyes of others. */
  void hide(String name) throws IOException {
    if (path.getFileSystem().supportedFileAttributeViews().contains("posix")) {
      Files.setPosixFilePermissions(file(name), PosixFilePermissions.fromString("rw-------"));
    }
  }

  /** Replaces a file that everyone may read. */
  public void write(String name, byte[] content) throws IOException {
    replace(name, content, "rw-r--r--");
  }

  /** Replaces a file that only the hub's own user may read. */
  public void writeSecret(String name, byte[] content) throws IOException {
    replace(name, content, "rw-------");
  }

  private void replace(String name, byte[] content, String mode) throws IOException {
    try {
      Path temporary = temporary(mode, content);
      try {
        Files.move(
            temporary,
            file(name),
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(temporary);
      }
    } catch (FileSystemException e) {
      throw new IOException("Cannot write %s: %s".formatted(file(name), reason(e)), e);
    }
  }

  private Path temporary(String mode, byte[] content) throws IOException {
    // The mode is given at creation: there is no moment at which others could open a secret.
    Path temporary =
        path.resolve(
            ".new-" + Long.toUnsignedString(System.nanoTime(), 36) + "-" + mode.hashCode());
    try (FileChannel channel =
        FileChannel.open(
            temporary,
            Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
            permissions(path, mode))) {
      ByteBuffer data = ByteBuffer.wrap(content);
      while (data.hasRemaining()) {
        channel.write(data);
      }
      channel.force(true);
    } catch (IOException e) {
      Files.deleteIfExists(temporary);
      throw e;
    }
    return temporary;
  }

  private static FileAttribute<?>[] permissions(Path near, String mode) {
    if (!near.getFileSystem().supportedFileAttributeViews().contains("posix")) {
      return new FileAttribute<?>[0];
    }
    return new FileAttribute<?>[] {
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))
    };
  }

  /** The system's own words, without the path that the message has already. */
  private static String reason(IOException e) {
    if (e instanceof FileSystemException f && f.getReason() != null) {
      return f.getReason();
    }
    if (e.getClass() == IOException.class && e.getMessage() != null) {
      return e.getMessage();
    }
    return e.getClass().getSimpleName() + (e.getMessage() == null ? "" : ": " + e.getMessage());
  }
}
