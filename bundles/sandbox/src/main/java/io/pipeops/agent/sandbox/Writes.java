package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import org.eclipse.jetty.http.HttpHeader;

/**
 * Answers {@code create}, {@code update}, {@code patch}, {@code delete}, {@code deletecollection}.
 */
final class Writes {
  private final Resources resources;
  private final Reads reads;
  private final Schemas schemas;

  Writes(Resources resources, Reads reads, Schemas schemas) {
    this.resources = resources;
    this.reads = reads;
    this.schemas = schemas;
  }

  static Resources.Write how(Exchange exchange, String subresource) {
    String manager = exchange.query("fieldManager");
    if (manager.isEmpty()) {
      String agent = exchange.header(HttpHeader.USER_AGENT);
      manager = agent.isEmpty() ? "unknown" : agent.split("/", 2)[0];
    }
    if (manager.length() > 128) {
      throw ApiException.badRequest("the field manager's name is longer than 128 characters");
    }
    return new Resources.Write(manager, subresource, dryRun(exchange.query("dryRun")));
  }

  private static boolean dryRun(String value) {
    if (!value.isEmpty() && !value.equals("All")) {
      throw ApiException.badRequest("dryRun can only be All");
    }
    return !value.isEmpty();
  }

  /** Unknown fields are refused, warned of, or dropped, as the client wants it. */
  private void checkFields(Exchange exchange, ResourceType type, ObjectNode object) {
    List<String> faults = schemas.prune(type, object);
    if (faults.isEmpty()) {
      return;
    }
    switch (exchange.query("fieldValidation")) {
      case "Strict" ->
          throw ApiException.badRequest(
              "%s of %s cannot be taken as it is: %s"
                  .formatted(type.kind(), type.apiVersion(), String.join(", ", faults)));
      case "Ignore" -> {}
      default -> faults.stream().limit(10).forEach(exchange::warn);
    }
  }

  void create(Exchange exchange, Target target) throws IOException {
    ObjectNode object = exchange.object();
    checkFields(exchange, target.type(), object);
    ObjectNode created =
        resources.create(target.type(), target.namespace(), object, how(exchange, ""));
    exchange.answer(201, reads.present(exchange, target.type(), created));
  }

  void update(Exchange exchange, Target target) throws IOException {
    ObjectNode object = exchange.object();
    checkFields(exchange, target.type(), object);
    ObjectNode updated =
        resources.update(
            target.type(),
            target.namespace(),
            target.name(),
            object,
            how(exchange, target.subresource()));
    exchange.answer(200, reads.present(exchange, target.type(), updated));
  }

  void patch(Exchange exchange, Target target) throws IOException {
    String kind = exchange.contentType();
    JsonNode patch = exchange.body();
    Resources.Write how = how(exchange, target.subresource());
    ObjectNode patched;
    if (kind.equals("application/apply-patch+yaml")
        || kind.equals("application/apply-patch+json")) {
      patched = apply(exchange, target, patch, how);
    } else {
      patched =
          resources.change(
              target.type(),
              target.namespace(),
              target.name(),
              how,
              before -> {
                ObjectNode after = patched(kind, before, patch);
                checkFields(exchange, target.type(), after);
                return after;
              });
    }
    exchange.answer(200, reads.present(exchange, target.type(), patched));
  }

  static ObjectNode patched(String kind, ObjectNode before, JsonNode patch) {
    JsonNode after =
        switch (kind) {
          case "application/json-patch+json" -> Patches.json(before, patch);
          case "application/merge-patch+json" -> Patches.merge(before, patch);
          case "application/strategic-merge-patch+json" -> Patches.strategic(before, patch);
          default -> throw ApiException.unsupportedMediaType(kind);
        };
    if (after instanceof ObjectNode object) {
      return object;
    }
    throw ApiException.badRequest("the patch leaves no object");
  }

  private ObjectNode apply(Exchange exchange, Target target, JsonNode patch, Resources.Write how) {
    if (!(patch instanceof ObjectNode applied)) {
      throw ApiException.badRequest("what is applied must be one object");
    }
    if (exchange.query("fieldManager").isEmpty()) {
      throw ApiException.badRequest("an apply needs the parameter fieldManager");
    }
    if (Json.at(applied, "metadata").hasNonNull("managedFields")) {
      throw ApiException.badRequest("what is applied must not name managedFields");
    }
    checkFields(exchange, target.type(), applied);
    return resources.apply(
        target.type(), target.namespace(), target.name(), applied, exchange.flag("force"), how);
  }

  void delete(Exchange exchange, Target target) throws IOException {
    ObjectNode options = options(exchange);
    ObjectNode object =
        resources.delete(
            target.type(), target.namespace(), target.name(), options, dryRun(exchange, options));
    boolean pods = target.type().qualified().equals("pods");
    exchange.answer(200, Json.deleting(object) || pods ? object : success(target.type(), object));
  }

  private static boolean dryRun(Exchange exchange, ObjectNode options) {
    return dryRun(exchange.query("dryRun")) || !options.path("dryRun").isEmpty();
  }

  /** Options come in the body; older clients put them in the query. */
  private static ObjectNode options(Exchange exchange) throws IOException {
    ObjectNode options = exchange.body() instanceof ObjectNode body ? body : Json.object();
    String policy = exchange.query("propagationPolicy");
    if (!policy.isEmpty() && !options.has("propagationPolicy")) {
      options.put("propagationPolicy", policy);
    }
    if (!exchange.query("gracePeriodSeconds").isEmpty() && !options.has("gracePeriodSeconds")) {
      options.put("gracePeriodSeconds", (int) exchange.number("gracePeriodSeconds", 30));
    }
    return options;
  }

  private static ObjectNode success(ResourceType type, ObjectNode object) {
    ObjectNode status = Json.object();
    status.put("kind", "Status").put("apiVersion", "v1").putObject("metadata");
    ObjectNode details = status.put("status", "Success").putObject("details");
    details.put("name", Json.name(object)).put("group", type.group()).put("kind", type.plural());
    details.put("uid", Json.uid(object));
    return status;
  }

  void deleteCollection(Exchange exchange, Target target) throws IOException {
    ObjectNode options = options(exchange);
    Reads.Choice choice = Reads.choice(exchange, target);
    List<ObjectNode> chosen =
        resources.store().items(target.type(), target.namespace()).stream()
            .filter(choice.predicate())
            .toList();
    for (ObjectNode object : chosen) {
      try {
        resources.delete(
            target.type(),
            Json.namespace(object),
            Json.name(object),
            options,
            dryRun(exchange, options));
      } catch (ApiException gone) {
        if (gone.code() != 404) {
          throw gone;
        }
      }
    }
    ObjectNode meta = Reads.listMeta(resources.store().version());
    exchange.answer(200, Reads.list(target.type(), chosen, meta));
  }
}
