/** What a request says about whom it asks: a department with those below, or everybody. */
export const about = (department: string): { department?: string } => (department ? { department } : {});
