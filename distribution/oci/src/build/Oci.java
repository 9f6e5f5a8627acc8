import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.JibContainer;
import com.google.cloud.tools.jib.api.JibContainerBuilder;
import com.google.cloud.tools.jib.api.TarImage;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.FileEntriesLayer;
import com.google.cloud.tools.jib.api.buildplan.FilePermissions;
import com.google.cloud.tools.jib.api.buildplan.ImageFormat;
import com.google.cloud.tools.jib.api.buildplan.Platform;
import com.google.cloud.tools.jib.api.buildplan.Port;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;
import java.util.jar.JarFile;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Run by the build: packs the assembled distribution as an OCI image archive on an empty base, without a
 * container engine. Usage: {@code Oci <image folder> <output folder> <registry and owner>
 * <version> <commit> <time>}.
 *
 * <p>There is no shell in the image, so {@code java} itself is what starts. The start script's choice of a
 * memory profile becomes one file of options for each, {@code conf/container-PROGRAM-PROFILE.args}; the
 * image's own command takes the one that fits everywhere, and whoever gives the container more memory
 * names the other.
 */
class Oci {
  private static final String HOME = "/opt/pipeops-agent";
  private static final String USER = "65532:65532";

  /** What the hub alone needs, relative to the distribution. */
  private static final List<String> HUB_FEATURES = List.of("hub", "sandbox", "base-hub");

  private final String program;
  private final Path image;
  private final Path work;
  private final FileTime time;

  private Oci(String program, Path image, Path work, FileTime time) {
    this.program = program;
    this.image = image;
    this.work = work;
    this.time = time;
  }

  public static void main(String[] args) throws Exception {
    FileTime time = FileTime.from(Instant.parse(args[5]));
    try (ExecutorService both = Executors.newFixedThreadPool(2)) {
      List<Future<?>> done = new ArrayList<>();
      for (String program : List.of("agent", "hub")) {
        Path work = Files.createDirectories(Path.of(args[1]).resolve(program));
        // The library knows a layer again by the time of its files, and ours never changes.
        delete(work.resolve("cache"));
        String name = "pipeops-" + program + "-" + args[3] + "-linux-" + architecture() + ".oci.tar";
        Oci oci = new Oci(program, Path.of(args[0]).normalize(), work, time);
        done.add(
            both.submit(
                () -> {
                  oci.build(Path.of(args[1]).resolve(name), args[2], args[3], args[4]);
                  return null;
                }));
      }
      for (Future<?> each : done) {
        each.get();
      }
    }
    // Threads of the library would keep the process.
    System.exit(0);
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private void build(Path out, String owner, String version, String commit) throws Exception {
    String first = program.equals("hub") ? "standard" : "small";
    Set<String> hubOnly = hubOnly();
    JibContainerBuilder builder =
        Jib.fromScratch()
            .setFormat(ImageFormat.OCI)
            .setPlatforms(Set.of(new Platform(architecture(), "linux")))
            .setCreationTime(time.toInstant())
            .setUser(USER)
            .setWorkingDirectory(AbsoluteUnixPath.get("/tmp"))
            .setEntrypoint(
                HOME + "/runtime/bin/java",
                "@" + HOME + "/conf/container-" + program + "-" + first + ".args",
                "-jar",
                HOME + "/lib/" + program + "-launcher.jar")
            .setProgramArguments(program.equals("hub") ? "hub" : "run")
            .setExposedPorts(program.equals("hub") ? Set.of(Port.tcp(8443), Port.tcp(8080)) : Set.of(Port.tcp(8080)))
            .setLabels(labels(version, commit));
    builder.addFileEntriesLayer(layer("base", new BaseSystem(image.resolve("runtime"), work).files()));
    builder.addFileEntriesLayer(layer("runtime", tree("runtime", f -> true)));
    builder.addFileEntriesLayer(
        layer("libraries", tree("lib", f -> f.endsWith(".jar") && !product(f) && !hubOnly.contains(f))));
    Map<String, Path> ours = tree("bundles", f -> !hubOnly.contains(f));
    ours.putAll(tree("features", f -> !hubOnly.contains(f)));
    ours.putAll(tree("lib", f -> product(f) && !hubOnly.contains(f)));
    ours.putAll(tree("conf", f -> f.equals("conf/compiler.json") || f.startsWith("conf/container-" + program + "-")));
    builder.addFileEntriesLayer(layer("product", ours));
    // Last, since a training run never leaves the same bytes twice.
    builder.addFileEntriesLayer(layer("archive", tree("lib", f -> f.matches("lib/" + program + "\\.(aot|jsa)"))));
    JibContainer done =
        builder.containerize(
            Containerizer.to(TarImage.at(out).named(owner + "/pipeops-" + program + ":" + version))
                .setOfflineMode(true)
                .setToolName("pipeops-agent")
                .setBaseImageLayersCache(work.resolve("cache"))
                .setApplicationLayersCache(work.resolve("cache")));
    Files.writeString(
        out.resolveSibling(out.getFileName().toString().replace(".oci.tar", ".cdx.json")),
        billOfMaterials(version, done.getDigest().toString(), hubOnly));
    System.out.println(
        out.getFileName() + ": " + Files.size(out) / 1_000_000 + " MB, " + done.getDigest());
    if (program.equals("agent") && Files.size(out) > 60_000_000) {
      throw new IOException("The agent's image has " + Files.size(out) + " bytes; its limit is 60 MB");
    }
  }

  /** What of lib/ is no library: it changes with our code. */
  private static boolean product(String file) {
    return file.endsWith("-launcher.jar") || file.equals("lib/base.jar");
  }

  /** The distribution's, without what this image leaves out, with what is not a library of ours. */
  private String billOfMaterials(String version, String digest, Set<String> leftOut) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    Path all = image.resolveSibling("bom.json");
    if (!Files.exists(all)) {
      throw new IOException(all + " is missing; the plugin that makes it does nothing offline: build without -o");
    }
    ObjectNode bom = (ObjectNode) mapper.readTree(all.toFile());
    Set<String> gone = new TreeSet<>();
    ArrayNode components = (ArrayNode) bom.get("components");
    for (Iterator<JsonNode> i = components.iterator(); i.hasNext(); ) {
      JsonNode component = i.next();
      String jar = component.get("name").asText() + "-" + component.get("version").asText() + ".jar";
      if (leftOut.contains("lib/" + jar) || leftOut.contains("bundles/" + jar)) {
        gone.add(component.get("bom-ref").asText());
        i.remove();
      }
    }
    for (Iterator<JsonNode> i = bom.get("dependencies").iterator(); i.hasNext(); ) {
      JsonNode dependency = i.next();
      if (gone.contains(dependency.get("ref").asText())) {
        i.remove();
      } else if (dependency.has("dependsOn")) {
        for (Iterator<JsonNode> d = dependency.get("dependsOn").iterator(); d.hasNext(); ) {
          if (gone.contains(d.next().asText())) {
            d.remove();
          }
        }
      }
    }
    components.add(part(mapper, "platform", System.getProperty("java.vendor"), "java", System.getProperty("java.runtime.version"), "GPL-2.0-only WITH Classpath-exception-2.0"));
    components.add(part(mapper, "operating-system", "GNU", "glibc", glibc(), "LGPL-2.1-or-later"));
    ObjectNode subject = part(mapper, "container", "PipeOps", "pipeops-" + program, version, null);
    subject.putArray("hashes").addObject().put("alg", "SHA-256").put("content", digest.substring("sha256:".length()));
    ((ObjectNode) bom.get("metadata")).set("component", subject);
    return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(bom);
  }

  private static ObjectNode part(ObjectMapper mapper, String type, String group, String name, String version, String licence) {
    ObjectNode part = mapper.createObjectNode().put("type", type).put("bom-ref", group + "/" + name + "@" + version);
    part.put("group", group).put("name", name).put("version", version);
    if (licence != null) {
      part.putArray("licenses").addObject().put("expression", licence);
    }
    return part;
  }

  private static String glibc() throws IOException {
    Process process = new ProcessBuilder("ldd", "--version").redirectErrorStream(true).start();
    String first = new String(process.getInputStream().readAllBytes()).lines().findFirst().orElse("");
    return first.substring(first.lastIndexOf(' ') + 1);
  }

  private static Map<String, String> labels(String version, String commit) {
    Map<String, String> labels = new TreeMap<>();
    labels.put("org.opencontainers.image.title", "PipeOps agent");
    labels.put("org.opencontainers.image.description", "Connects a Kubernetes cluster to its control plane over one outbound WebSocket");
    labels.put("org.opencontainers.image.version", version);
    labels.put("org.opencontainers.image.revision", commit);
    labels.put("org.opencontainers.image.vendor", "PipeOps");
    labels.put("org.opencontainers.image.base.name", "scratch");
    return labels;
  }

  private static String architecture() throws IOException {
    return switch (System.getProperty("os.arch")) {
      case "amd64", "x86_64" -> "amd64";
      case "aarch64", "arm64" -> "arm64";
      default -> throw new IOException("No image is made for " + System.getProperty("os.arch"));
    };
  }

  /** Files below the distribution that the agent's image leaves out; none for the hub's. */
  private Set<String> hubOnly() throws IOException {
    if (program.equals("hub")) {
      return Set.of("lib/agent.aot", "lib/agent.jsa");
    }
    Set<String> only = new TreeSet<>(Set.of("lib/hub-launcher.jar", "lib/hub.aot", "lib/hub.jsa"));
    try (JarFile jar = new JarFile(image.resolve("lib/hub-launcher.jar").toFile())) {
      for (String entry : jar.getManifest().getMainAttributes().getValue("Class-Path").split(" ")) {
        if (!entry.equals("agent-launcher.jar")) {
          only.add("lib/" + entry);
        }
      }
    }
    Set<String> kept = new TreeSet<>();
    try (Stream<Path> files = Files.list(image.resolve("features"))) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        Set<String> into = HUB_FEATURES.contains(name.replace(".json", "")) ? only : kept;
        into.add("features/" + name);
        Matcher bundle =
            Pattern.compile("\"[^\":]+:([^\":]+):([^\":]+)\", *\"sha256\"").matcher(Files.readString(file));
        while (bundle.find()) {
          into.add("bundles/" + bundle.group(1) + "-" + bundle.group(2) + ".jar");
        }
      }
    }
    only.removeAll(kept);
    return only;
  }

  private Map<String, Path> tree(String folder, Predicate<String> wanted) throws IOException {
    Map<String, Path> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(image.resolve(folder))) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        String name = image.relativize(file).toString();
        if (wanted.test(name)) {
          files.put(HOME + "/" + name, file);
        }
      }
    }
    return files;
  }

  private FileEntriesLayer layer(String name, Map<String, Path> files) throws IOException {
    FileEntriesLayer.Builder layer = FileEntriesLayer.builder().setName(name);
    for (Map.Entry<String, Path> file : files.entrySet()) {
      FilePermissions mode =
          FilePermissions.fromOctalString(
              file.getKey().equals("/tmp") ? "777" : Files.isExecutable(file.getValue()) ? "755" : "644");
      layer.addEntry(file.getValue(), AbsoluteUnixPath.get(file.getKey()), mode, time.toInstant());
    }
    return layer.build();
  }
}

/**
 * What an image on an empty base needs of an operating system so that the Java run time works: the
 * C library of the machine that builds it, the modules by which it resolves names, and three small files.
 */
class BaseSystem {
  /** Loaded by name while the process runs, so no program header lists them. */
  private static final List<String> BY_NAME = List.of("libresolv.so.2", "libnss_files.so.2", "libnss_dns.so.2");

  private static final Pattern LIBRARY = Pattern.compile("(?:\\S+ => )?(/\\S+) \\(0x[0-9a-f]+\\)");

  private final Path runtime;
  private final Path work;

  BaseSystem(Path runtime, Path work) {
    this.runtime = runtime;
    this.work = work;
  }

  /** By their place in the image. */
  Map<String, Path> files() throws IOException, InterruptedException {
    Map<String, Path> files = new TreeMap<>();
    for (Path program : programs()) {
      for (String line : ldd(program)) {
        Matcher library = LIBRARY.matcher(line.strip());
        if (library.matches() && !Path.of(library.group(1)).toRealPath().startsWith(runtime.toRealPath())) {
          add(files, Path.of(library.group(1)).normalize());
        }
      }
    }
    Path c = files.keySet().stream().filter(f -> f.endsWith("/libc.so.6")).map(Path::of).findFirst()
        .orElseThrow(() -> new IOException("The image needs a Java run time for glibc; found only " + files.keySet()));
    for (String name : BY_NAME) {
      add(files, c.resolveSibling(name));
    }
    files.put("/etc/passwd", text("passwd", "root:x:0:0:root:/:/sbin/nologin\nagent:x:65532:65532:agent:/tmp:/sbin/nologin\n"));
    files.put("/etc/group", text("group", "root:x:0:\nagent:x:65532:\n"));
    files.put("/etc/nsswitch.conf", text("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"));
    files.put("/tmp", Files.createDirectories(work.resolve("tmp")));
    Path licence = Path.of("/usr/share/doc/libc6/copyright");
    if (Files.exists(licence)) {
      files.put(licence.toString(), licence);
    }
    return files;
  }

  private List<Path> programs() throws IOException {
    try (Stream<Path> all = Files.walk(runtime)) {
      return all.filter(f -> f.toString().endsWith(".so") || f.endsWith("bin/java") || f.endsWith("lib/jspawnhelper")).toList();
    }
  }

  private static List<String> ldd(Path program) throws IOException, InterruptedException {
    Process process = new ProcessBuilder("ldd", program.toString()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    if (process.waitFor() != 0) {
      throw new IOException("ldd " + program + " failed: " + output);
    }
    return output.lines().toList();
  }

  /** The name stays the one by which it is asked for; what it links to is what is packed. */
  private static void add(Map<String, Path> files, Path library) throws IOException {
    files.put(library.toString(), library.toRealPath());
  }

  private Path text(String name, String content) throws IOException {
    return Files.writeString(work.resolve(name), content);
  }
}
