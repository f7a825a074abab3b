// A client on the TypeScript SDK: lists the tools, gets a page, says what it saw.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const { command, args, home, page } = JSON.parse(process.argv[2]);
const transport = new StdioClientTransport({ command, args, cwd: home });
const client = new Client({ name: "typescript-sdk", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const result = await client.callTool({ name: "confluence_get_page", arguments: { page } });
await client.close();
console.log(JSON.stringify({
  tools: tools.map((tool) => tool.name),
  text: result.content.map((part) => part.text ?? "").join("\n"),
  title: result.structuredContent?.title ?? "",
}));
