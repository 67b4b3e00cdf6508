import { queryOptions } from "@tanstack/react-query";
import { type Schemas, body, client, tagged } from "./client";

export type Meeting = Schemas["Meeting"];
export type MeetingInput = Schemas["MeetingInput"];
export type MeetingPatch = Schemas["MeetingPatch"];
export type Roster = Schemas["Roster"];

const id = (value: string) => ({ params: { path: { id: value } } });

export const meetingsQuery = queryOptions({
  queryKey: ["meetings"],
  queryFn: async () => (await body(client.GET("/v1/meetings", { params: { query: { page_size: 5000 } } }))).meetings,
});
export const meetingQuery = (meeting: string) => queryOptions({ queryKey: ["meetings", meeting], queryFn: () => tagged(client.GET("/v1/meetings/{id}", id(meeting))) });
export const rosterQuery = (meeting: string) =>
  queryOptions({ queryKey: ["meetings", meeting, "roster"], refetchInterval: 5000, queryFn: () => body(client.GET("/v1/meetings/{id}/roster", id(meeting))) });

export const newMeeting = (input: MeetingInput): Promise<Meeting> => body(client.POST("/v1/meetings", { body: input }));
export const changeMeeting = (meeting: string, etag: string, patch: MeetingPatch): Promise<Meeting> =>
  body(client.PATCH("/v1/meetings/{id}", { params: { path: { id: meeting }, header: { "If-Match": etag } }, body: patch }));
export const renewLink = (meeting: string): Promise<Meeting> => body(client.POST("/v1/meetings/{id}/link", id(meeting)));
export const endMeeting = (meeting: string): Promise<unknown> => body(client.POST("/v1/meetings/{id}/end", id(meeting)));
