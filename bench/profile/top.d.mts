export declare function topText(path: string, rows?: number): string;
