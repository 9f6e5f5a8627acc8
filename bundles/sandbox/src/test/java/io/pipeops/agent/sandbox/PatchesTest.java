package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.junit.jupiter.api.Test;

class PatchesTest {
  private static JsonNode json(String text) throws Exception {
    return Json.MAPPER.readTree(text.replace('\'', '"'));
  }

  private static void strategic(String target, String patch, String expected) throws Exception {
    assertEquals(json(expected), Patches.strategic((ObjectNode) json(target), json(patch)));
  }

  @Test
  void strategicMergesListsByTheirKeys() throws Exception {
    strategic(
        "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b','image':'1'}]}}",
        "{'spec':{'containers':[{'name':'b','image':'2'},{'name':'c','image':'3'}]}}",
        "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b','image':'2'},"
            + "{'name':'c','image':'3'}]}}");
    strategic(
        "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
        "{'spec':{'containers':[{'name':'a','$patch':'delete'}]}}",
        "{'spec':{'containers':[{'name':'b'}]}}");
    strategic(
        "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
        "{'spec':{'containers':[{'name':'z'},{'$patch':'replace'}]}}",
        "{'spec':{'containers':[{'name':'z'}]}}");
    strategic(
        "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
        "{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}],"
            + "'containers':[{'name':'b','x':'1'}]}}",
        "{'spec':{'containers':[{'name':'b','x':'1'},{'name':'a'}]}}");
  }

  @Test
  void strategicTellsPortsApartByWhereTheyAre() throws Exception {
    strategic(
        "{'spec':{'ports':[{'port':80,'targetPort':1}]}}",
        "{'spec':{'ports':[{'port':80,'targetPort':2},{'port':81}]}}",
        "{'spec':{'ports':[{'port':80,'targetPort':2},{'port':81}]}}");
    strategic(
        "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80}]}]}}",
        "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80,'name':'h'}]}]}}",
        "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80,'name':'h'}]}]}}");
    strategic(
        "{'spec':{'ingress':[{'ports':[{'port':1}]}]}}",
        "{'spec':{'ingress':[{'ports':[{'port':2}]}]}}",
        "{'spec':{'ingress':[{'ports':[{'port':2}]}]}}");
  }

  @Test
  void strategicKnowsItsDirectives() throws Exception {
    strategic("{'a':{'x':1,'y':2}}", "{'a':{'$patch':'replace','z':3}}", "{'a':{'z':3}}");
    strategic("{'a':{'x':1}}", "{'a':{'$patch':'delete'}}", "{'a':{}}");
    strategic(
        "{'strategy':{'type':'R','rollingUpdate':{}}}",
        "{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}",
        "{'strategy':{'type':'Recreate'}}");
    strategic(
        "{'metadata':{'finalizers':['a','b']}}",
        "{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],'finalizers':['c']}}",
        "{'metadata':{'finalizers':['b','c']}}");
    strategic("{'a':1,'b':2}", "{'a':null,'c':[1]}", "{'b':2,'c':[1]}");
    assertThrows(
        ApiException.class, () -> strategic("{}", "{'spec':{'containers':[{'image':'x'}]}}", "{}"));
  }

  @Test
  void mergeFollowsItsRfc() throws Exception {
    assertEquals(
        json("{'a':{'x':1,'y':2},'c':[1],'e':{'f':1}}"),
        Patches.merge(
            json("{'a':{'x':1},'b':2,'c':[3,4]}"),
            json("{'a':{'y':2,'q':null},'b':null,'c':[1],'e':{'f':1,'g':null}}")));
  }

  @Test
  void jsonPatchFollowsItsRfc() throws Exception {
    assertEquals(
        json("{'a':[1,9,2],'c':5,'d':{'e':[1]}}"),
        Patches.json(
            json("{'a':[1,2],'b':5,'d':{'e':[1,2]}}"),
            json(
                "[{'op':'add','path':'/a/1','value':9},{'op':'move','from':'/b','path':'/c'},"
                    + "{'op':'remove','path':'/d/e/1'},{'op':'test','path':'/c','value':5}]")));
    assertEquals(
        json("{'a/b':{'~':2},'l':[1]}"),
        Patches.json(
            json("{'a/b':{'~':1},'l':[]}"),
            json(
                "[{'op':'replace','path':'/a~1b/~0','value':2},"
                    + "{'op':'add','path':'/l/-','value':1}]")));
    for (String bad :
        List.of(
            "{}",
            "[{'op':'add','path':'/x/y','value':1}]",
            "[{'op':'add','path':'/l/5','value':1}]",
            "[{'op':'remove','path':'/nope'}]",
            "[{'op':'replace','path':'/nope','value':1}]",
            "[{'op':'test','path':'/l','value':1}]",
            "[{'op':'fly','path':'/l'}]",
            "[{'op':'add','path':'/l'}]",
            "[{'op':'add','path':'x','value':1}]",
            "[{'op':'remove','path':''}]")) {
      assertThrows(ApiException.class, () -> Patches.json(json("{'l':[]}"), json(bad)), bad);
    }
  }
}
