package io.pipeops.agent.launcher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
  @TempDir Path dir;

  @Test
  void isMadeForItsUserAloneAndLeftEmpty() throws Exception {
    Path made = RunFolder.at(dir.resolve("a/b"));
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(made)));
    assertArrayEquals(new String[0], made.toFile().list());
    assertEquals(made, RunFolder.at(made));
  }

  @Test
  void sayWhichFolderCannotBeWrittenAndWhatToDo() throws Exception {
    Path file = Files.writeString(dir.resolve("file"), "");
    String message =
        assertThrows(IOException.class, () -> RunFolder.at(file.resolve("run"))).getMessage();
    assertTrue(message.startsWith("The run folder " + file.resolve("run") + " cannot"), message);
    assertTrue(message.contains("--run-dir"), message);
  }
}
